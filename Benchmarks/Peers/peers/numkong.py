"""NumKong (SimSIMD's successor): distances of many bit vectors to one."""

from concurrent.futures import ThreadPoolExecutor

import numkong
import numpy as np

from measure import Contender


def hamming(signatures: np.ndarray, anchor: np.ndarray, chunk: int, threads: int) -> Contender:
    """hammings_packed of signatures [n, 4] u8 against the anchor, packed before, every thread its part.

    That is its fastest call that counts bits: at this width cdist(metric="hamming", dtype="u1") counts unequal bytes.
    """
    packed = numkong.hammings_pack(anchor[None])
    distances = [numkong.empty((chunk, 1), dtype="uint32") for _ in range(threads)]
    part = len(signatures) // threads
    pool = ThreadPoolExecutor(threads)

    def thread(index: int) -> None:
        for first in range(index * part, (index + 1) * part, chunk):
            numkong.hammings_packed(signatures[first : first + chunk], packed, out=distances[index])

    def call() -> None:
        list(pool.map(thread, range(threads)))

    call()
    expected = np.bitwise_count(signatures[part - chunk : part] ^ anchor).sum(1)
    if not np.array_equal(np.asarray(distances[0])[:, 0], expected):
        raise SystemExit("NumKong: Hamming distances are wrong")
    return Contender("NumKong Hamming", [call], signatures.nbytes)
