/* NEON: 32 registers of 16 bytes, so a sum's 32 lanes are eight and a tile is 8 x 3, which of the shapes that fit takes
** the fewest loads for a product. */
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>

#define VARIANT neon
#define WIDTH 16
#define FMA(a, b, sum) _Generic(sum, floats : vfmaq_f32, doubles : vfmaq_f64)(sum, a, b)
#define SPLAT(x) _Generic(x, float : vdupq_n_f32, double : vdupq_n_f64)(x)
#define LOW(v) vget_low_f32(v)
#define HIGH(v) vget_high_f32(v)
#define WIDE(half) vcvt_f64_f32(half)
#define NARROW(v) vcvt_f32_f64(v)
#define ANY(v) (vmaxvq_u32(v) != 0)
#define MASK(v) vaddvq_u32((uint32x4_t)(v) >> 31 << (uint32x4_t){0, 1, 2, 3})
#define TABLE(p) vld1q_u8(p)
#define LOOKUP(table, index) vqtbl1q_u8(table, (uint8x16_t)(index))
#define PAIRS(u, s) vmlal_high_s8(vmull_s8(vget_low_s8(u), vget_low_s8(s)), u, s)
#define SWAP1(v) vrev64q_f32(v)
#define SWAP2(v) vextq_f32(v, v, 2)
#define TILE_ROWS 8
#define PANELS_AT_ONCE 1
#include "core/simd/template.h"
#endif
