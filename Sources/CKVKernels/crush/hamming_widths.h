// Which loop serves which width, the same at every level. Include after `narrow`, which takes as
// many whole vectors of signatures of 1, 2, 4 or 8 bytes as there are and returns how many that
// was, and `distance_of`, which takes one signature of any width.
#pragma once

static inline void distances_of(uint32_t *distances, const uint8_t *signatures, size_t count,
                                size_t bytes, const uint8_t *anchor) {
    size_t i = 0;
    switch (bytes) { // constants, so that each width is a loop of its own
    case 1:
        i = narrow(distances, signatures, count, 1, anchor);
        break;
    case 2:
        i = narrow(distances, signatures, count, 2, anchor);
        break;
    case 4:
        i = narrow(distances, signatures, count, 4, anchor);
        break;
    case 8:
        i = narrow(distances, signatures, count, 8, anchor);
        break;
    }
    for (; i < count; i++) distances[i] = distance_of(signatures + i * bytes, anchor, bytes);
}
