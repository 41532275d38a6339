// The end of a fold: two online-softmax states become one, and a state becomes the output.
#pragma once

static inline void merge_rows(float *a, float ea, const float *b, float eb, size_t dim) {
    size_t c = 0;
    for (; c + 16 <= dim; c += 16)
        store(a + c, fused(load(a + c), splat(ea), mul(load(b + c), splat(eb))));
    if (c == dim) return;
    const f32x16 rest = mul(load_first(b + c, dim - c), splat(eb));
    store_first(a + c, fused(load_first(a + c, dim - c), splat(ea), rest), dim - c);
}

static inline void merge_states(float *maximum_a, float *sum_a, float *accumulator_a,
                                const float *maximum_b, const float *sum_b,
                                const float *accumulator_b, size_t rows, size_t dim) {
    for (size_t r = 0; r < rows; r++) {
        float *a = accumulator_a + r * dim;
        const float *b = accumulator_b + r * dim;
        if (maximum_b[r] == -INFINITY) continue;
        if (maximum_a[r] == -INFINITY) {
            maximum_a[r] = maximum_b[r];
            sum_a[r] = sum_b[r];
            memcpy(a, b, dim * sizeof *a);
            continue;
        }
        const float m = kv_max(maximum_a[r], maximum_b[r]);
        const float ea = kv_exp(maximum_a[r] - m), eb = kv_exp(maximum_b[r] - m);
        maximum_a[r] = m;
        sum_a[r] = kv_fma(sum_a[r], ea, sum_b[r] * eb);
        merge_rows(a, ea, b, eb, dim);
    }
}

static inline void finish_states(float *output, const float *accumulator, const float *sum,
                                 size_t rows, size_t dim) {
    for (size_t r = 0; r < rows; r++) {
        const float *a = accumulator + r * dim;
        float *o = output + r * dim;
        if (sum[r] == 0) {
            memset(o, 0, dim * sizeof *o);
            continue;
        }
        size_t c = 0;
        for (; c + 16 <= dim; c += 16) store(o + c, divide(load(a + c), splat(sum[r])));
        if (c < dim) {
            const f32x16 rest = load_first(a + c, dim - c);
            store_first(o + c, divide(rest, splat(sum[r])), dim - c);
        }
    }
}
