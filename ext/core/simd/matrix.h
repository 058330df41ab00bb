/* The arithmetic of matrices, as template.h has that of vectors. No include guard: template.h includes it. */

/* ---- Transforms ---- */

/* The first `columns` elements of `count` registers. */
INLINE void store(size_t count, const floats *acc, size_t columns, float *y) {
  UNROLL for (size_t c = 0; c < count; c++) {
    const size_t first = FLOATS * c;
    if (columns >= first + FLOATS) {
      put_floats(y + first, acc[c]);
    } else if (columns > first) {
      float part[FLOATS];
      put_floats(part, acc[c]);
      memcpy(y + first, part, (columns - first) * sizeof *y);
    }
  }
}

enum {
  UNIT = 16, /* the width of a panel is one, two or three of these */
  UNIT_REGISTERS = UNIT / FLOATS,
  PANEL_REGISTERS = PANEL_WIDTH / FLOATS,
  UNITS_AT_ONCE = PANELS_AT_ONCE * PANEL_WIDTH / UNIT
};

/*
** A row by so many units of columns: by whole panels, and a narrow one. Several at once, for their streams are fetched
** together, and no narrow panel is left alone with chains that wait for themselves (8 % of the time at m = 256).
*/
INLINE void row_panels(size_t units, size_t n, const float *x, const float *panels, size_t columns, float *y) {
  const size_t count = units * UNIT_REGISTERS, whole = units / 3 * PANEL_REGISTERS, narrow = units % 3 * UNIT;
  floats acc[UNITS_AT_ONCE * UNIT_REGISTERS];
  UNROLL for (size_t c = 0; c < count; c++) acc[c] = SPLAT(0.0f);
  for (size_t i = 0; i < n; i++) {
    floats v = SPLAT(x[i]);
    UNROLL for (size_t c = 0; c < count; c++) {
      size_t p = c / PANEL_REGISTERS, row = i * (c < whole ? PANEL_WIDTH : narrow);
      acc[c] = FMA(v, floats_at(panels + p * n * PANEL_WIDTH + row + c % PANEL_REGISTERS * FLOATS), acc[c]);
    }
  }
  store(count, acc, columns, y);
}

static void transform(size_t n, size_t m, const float *x, const float *panels, float *y) {
  const size_t step = PANELS_AT_ONCE * PANEL_WIDTH;
  for (; m >= step; m -= step, panels += n * step, y += step) row_panels(UNITS_AT_ONCE, n, x, panels, step, y);
  switch ((m + UNIT - 1) / UNIT) {
#define CASE(units) \
  case units: \
    if (units <= UNITS_AT_ONCE) row_panels(units, n, x, panels, m, y); \
    break;
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
  }
}

/* A row of a panel that is so many units wide by the elements of v that it meets; products are rounded. */
INLINE void pull_units(size_t units, const float *row, const float *v, floats lane[UNIT_REGISTERS]) {
  UNROLL for (size_t c = 0; c < units * UNIT_REGISTERS; c++)
      lane[c % UNIT_REGISTERS] += floats_at(row + c * FLOATS) * floats_at(v + c * FLOATS);
}

static void pull(size_t n, size_t m, const float *panels, const float *v, float *out) {
  const size_t units = (m + UNIT - 1) / UNIT, whole = units / 3, narrow = units % 3;
  for (size_t i = 0; i < n; i++) {
    float sum[UNIT];
    floats lane[UNIT_REGISTERS];
    UNROLL for (size_t c = 0; c < UNIT_REGISTERS; c++) lane[c] = SPLAT(0.0f);
    for (size_t p = 0; p < whole; p++)
      pull_units(3, panels + (p * n + i) * PANEL_WIDTH, v + p * PANEL_WIDTH, lane);
    const float *last = panels + whole * n * PANEL_WIDTH + i * narrow * UNIT;
    if (narrow == 1) pull_units(1, last, v + whole * PANEL_WIDTH, lane);
    if (narrow == 2) pull_units(2, last, v + whole * PANEL_WIDTH, lane);
    UNROLL for (size_t c = 0; c < UNIT_REGISTERS; c++) put_floats(sum + c * FLOATS, lane[c]);
    UNROLL for (size_t step = UNIT / 2; step > 0; step /= 2) {
      UNROLL for (size_t l = 0; l < step; l++) sum[l] += sum[l + step];
    }
    out[i] = sum[0];
  }
}

/* ---- Tiles ---- */

enum { TILE_REGISTERS = 3 };

/* acc += the products of `count` elements of TILE_ROWS rows, `step` apart, with as many rows of `regs` registers of a
** panel that is `width` wide. */
#define DEFINE_ADD_PRODUCTS(name, element, registers, registers_at) \
  INLINE void name(size_t regs, size_t count, const element *const row[TILE_ROWS], size_t step, \
                   const element *panel, size_t width, registers acc[TILE_ROWS][TILE_REGISTERS]) { \
    UNROLL for (size_t r = 0; r < TILE_ROWS; r++) { \
      UNROLL for (size_t c = 0; c < regs; c++) acc[r][c] = SPLAT((element)0); \
    } \
    for (size_t i = 0; i < count; i++, panel += width) { \
      registers w[TILE_REGISTERS]; \
      UNROLL for (size_t c = 0; c < regs; c++) w[c] = registers_at(panel + c * (sizeof *w / sizeof *panel)); \
      UNROLL for (size_t r = 0; r < TILE_ROWS; r++) { \
        registers x = SPLAT(row[r][i * step]); \
        UNROLL for (size_t c = 0; c < regs; c++) acc[r][c] = FMA(x, w[c], acc[r][c]); \
      } \
    } \
  }

DEFINE_ADD_PRODUCTS(add_products, double, doubles, doubles_at)
DEFINE_ADD_PRODUCTS(add_products_single, float, floats, floats_at)

INLINE void transform_tile(size_t regs, size_t rows, size_t n, const float *x, const float *panel, size_t width,
                           size_t columns, float *y, size_t stride) {
  floats acc[TILE_ROWS][TILE_REGISTERS];
  const float *row[TILE_ROWS]; /* the last one again where there are fewer */
  UNROLL for (size_t r = 0; r < TILE_ROWS; r++) row[r] = x + (r < rows ? r : rows - 1) * n;
  add_products_single(regs, n, row, 1, panel, width, acc);
  UNROLL for (size_t r = 0; r < TILE_ROWS; r++) {
    if (r < rows) store(regs, acc[r], columns, y + r * stride);
  }
}

static void transform_block(size_t rows, size_t n, size_t m, const float *x, const float *panels, float *y,
                            size_t stride) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH) {
    size_t columns = m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH, width = (columns + UNIT - 1) / UNIT * UNIT;
    size_t regs = width == PANEL_WIDTH ? 3 : UNIT_REGISTERS > 1 || width > UNIT ? 2 : 1;
    for (size_t r = 0; r < rows; r += TILE_ROWS)
      for (size_t c = 0; c < columns; c += regs * FLOATS) {
        const float *panel = panels + n * first + c;
        float *out = y + r * stride + first + c;
        switch (regs) {
          case 1: transform_tile(1, rows - r, n, x + r * n, panel, width, columns - c, out, stride); break;
          case 2: transform_tile(2, rows - r, n, x + r * n, panel, width, columns - c, out, stride); break;
          case 3: transform_tile(3, rows - r, n, x + r * n, panel, width, columns - c, out, stride); break;
        }
      }
  }
}

/* sums += acc + u v for a register of columns. */
INLINE void join(doubles acc, double u, const double *v, double *sums) {
  accumulate(sums, acc + SPLAT(u) * doubles_at(v));
}

INLINE void join_single(floats acc, double u, const double *v, double *sums) {
  join(WIDE(LOW(acc)), u, v, sums);
  join(WIDE(HIGH(acc)), u, v + DOUBLES, sums + DOUBLES);
}

#define DEFINE_SCATTER(name, add_to_tile, join_to, element, registers, stored_width) \
  static void name(size_t rows, const element *a, const element *b, const double *u, const double *v, \
                   double *sums, size_t stride) { \
    enum { STEP = sizeof(registers) / sizeof(element) }; \
    for (size_t f = 0; f < GROUP_ROWS; f += TILE_ROWS) \
      for (size_t c = 0; c < stored_width; c += TILE_REGISTERS * STEP) { \
        registers acc[TILE_ROWS][TILE_REGISTERS]; \
        const element *row[TILE_ROWS]; \
        UNROLL for (size_t r = 0; r < TILE_ROWS; r++) row[r] = a + f + r; \
        add_to_tile(TILE_REGISTERS, rows, row, stored_width, b + c, stored_width, acc); \
        UNROLL for (size_t r = 0; r < TILE_ROWS; r++) { \
          double *out = sums + (f + r) * stride + c; \
          UNROLL for (size_t i = 0; i < TILE_REGISTERS; i++) { \
            join_to(acc[r][i], u[f + r], v + c + i * STEP, out + i * STEP); \
          } \
        } \
      } \
  }

DEFINE_SCATTER(scatter, add_products, join, double, doubles, SCATTER_WIDTH)
DEFINE_SCATTER(scatter_single, add_products_single, join_single, float, floats, SCATTER_WIDTH_SINGLE)
