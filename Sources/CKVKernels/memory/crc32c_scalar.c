// CRC-32C (Castagnoli, polynomial 0x1edc6f41 reflected to 0x82f63b78), eight bytes at a time.
//
// The remainder of a word is the exclusive or of the remainders of its bits, so one constant per
// bit of the word tells everything: nibble[k][v] is the remainder of value v at bits 4k ..< 4k + 4
// of eight little-endian bytes. One byte alone is a word's last byte. "123456789" gives 0xe3069283.
#include "dispatch/variants.h"

#define TWO(x, a)          (x), (x) ^ (a)
#define FOUR(x, a, b)      TWO(x, a), TWO((x) ^ (b), a)
#define NIBBLE(a, b, c, d) {FOUR(0, a, b), FOUR(c, a, b), FOUR(d, a, b), FOUR((c) ^ (d), a, b)}

static const uint32_t nibble[16][16] = {
    NIBBLE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da),
    NIBBLE(0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
    NIBBLE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53),
    NIBBLE(0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
    NIBBLE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f),
    NIBBLE(0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
    NIBBLE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91),
    NIBBLE(0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
    NIBBLE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6),
    NIBBLE(0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
    NIBBLE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5),
    NIBBLE(0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
    NIBBLE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8),
    NIBBLE(0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
    NIBBLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf),
    NIBBLE(0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
};

uint32_t kv_crc32c_scalar(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    crc = ~crc;
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t word = crc;
        for (int b = 0; b < 8; b++) word ^= (uint64_t)p[b] << 8 * b;
        crc = 0;
        for (int k = 0; k < 16; k++) crc ^= nibble[k][word >> 4 * k & 15];
    }
    for (; count > 0; p++, count--) {
        const uint32_t last = (crc ^ *p) & 0xff;
        crc = crc >> 8 ^ nibble[14][last & 15] ^ nibble[15][last >> 4];
    }
    return ~crc;
}
