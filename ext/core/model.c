/* See model.h for the format. Fields are read and written byte by byte, so that alignment and host order never
** matter; the arrays are copied as they are, which is right on little-endian machines, the only ones supported. */
#include "model.h"

#include <math.h>
#include <string.h>

#include "hash.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "vectors are little-endian float32: this machine is not supported"
#endif

enum { VERSION = 1, BYTE_ORDER_MARK = 0x01020304, MODEL_HEADER = 128, STATS_HEADER = 56 };
enum {
  AT_MAGIC = 0, AT_VERSION = 8, AT_ORDER = 12, AT_SIZE = 16, AT_HASH = 24, AT_D = 32,
  AT_K = 36, AT_M = 40, AT_RANK = 44, AT_N = 48, AT_WEIGHT = 56, AT_METHOD = 64, AT_FLAGS = 68, AT_REMOVE = 72,
  AT_RIDGE = 80, AT_RHO = 88, AT_RIDGE_ADDED = 96, AT_POWER = 104,
  AT_STATS_N = 40, AT_STATS_WEIGHT = 48
};

static const int64_t MAX_ROWS = (int64_t)1 << 53; /* so that sums of counts cannot overflow */
static const char MODEL_MAGIC[8] = "whitenM", STATS_MAGIC[8] = "whitenS";
static const char *const METHOD_NAMES[WHITEN_METHOD_COUNT] = {"pca", "zca", "pca-cor", "zca-cor", "cholesky"};

static uint32_t get32(const void *blob, size_t at) {
  uint32_t value;
  memcpy(&value, (const char *)blob + at, sizeof value);
  return value;
}

static uint64_t get64(const void *blob, size_t at) {
  uint64_t value;
  memcpy(&value, (const char *)blob + at, sizeof value);
  return value;
}

static double get_f64(const void *blob, size_t at) {
  double value;
  memcpy(&value, (const char *)blob + at, sizeof value);
  return value;
}

static void put(void *blob, size_t at, const void *value, size_t bytes) {
  memcpy((char *)blob + at, value, bytes);
}

static void put32(void *blob, size_t at, uint32_t value) {
  put(blob, at, &value, sizeof value);
}

static void put64(void *blob, size_t at, uint64_t value) {
  put(blob, at, &value, sizeof value);
}

static void put_f64(void *blob, size_t at, double value) {
  put(blob, at, &value, sizeof value);
}

const char *model_method_name(uint32_t method) {
  return method < WHITEN_METHOD_COUNT ? METHOD_NAMES[method] : NULL;
}

uint64_t model_stored_hash(const void *blob) {
  return get64(blob, AT_HASH);
}

static uint64_t content_hash(const void *blob, size_t bytes) {
  uint64_t head = hash_xxh64(blob, AT_HASH, 0);
  return hash_xxh64((const char *)blob + AT_HASH + 8, bytes - AT_HASH - 8, head);
}

enum status model_check_hash(const void *blob, size_t bytes) {
  return content_hash(blob, bytes) == model_stored_hash(blob) ? STATUS_OK : STATUS_HASH;
}

/* Everything both headers share but the hash and the size. */
static enum status check_common(const void *blob, size_t bytes, const char magic[8], size_t header_bytes) {
  if (bytes < sizeof MODEL_MAGIC || memcmp(blob, magic, sizeof MODEL_MAGIC) != 0) return STATUS_FOREIGN;
  if (bytes < header_bytes) return STATUS_TRUNCATED;
  uint32_t order = get32(blob, AT_ORDER);
  if (order == 0x04030201) return STATUS_BYTE_ORDER;
  if (get32(blob, AT_VERSION) != VERSION) return STATUS_VERSION;
  return order == BYTE_ORDER_MARK ? STATUS_OK : STATUS_HEADER;
}

static void put_common(void *blob, const char magic[8], uint64_t size, uint32_t d) {
  put(blob, AT_MAGIC, magic, sizeof MODEL_MAGIC);
  put32(blob, AT_VERSION, VERSION);
  put32(blob, AT_ORDER, BYTE_ORDER_MARK);
  put64(blob, AT_SIZE, size);
  put32(blob, AT_D, d);
}

uint64_t model_size(const struct model_header *h) {
  uint64_t d = h->d, k = h->k, matrix = d * h->m * 4, size = MODEL_HEADER + 8 * d + matrix;
  if (!(h->flags & MODEL_IMPORTED)) size += 8 * d;
  if (h->flags & MODEL_SCALES) size += 8 * (d + k);
  if (h->flags & MODEL_INVERSE) size += matrix;
  return size;
}

static char *append(char *at, const void *array, uint64_t bytes) {
  if (bytes > 0) memcpy(at, array, bytes);
  return at + bytes;
}

void model_write(const struct model *model, void *out) {
  const struct model_header *h = &model->header;
  uint64_t d = h->d, matrix = d * h->m * 4, size = model_size(h);
  memset(out, 0, MODEL_HEADER);
  put_common(out, MODEL_MAGIC, size, h->d);
  put32(out, AT_K, h->k);
  put32(out, AT_M, h->m);
  put32(out, AT_RANK, h->rank);
  put64(out, AT_N, (uint64_t)h->n);
  put_f64(out, AT_WEIGHT, h->weight);
  put32(out, AT_METHOD, h->method);
  put32(out, AT_FLAGS, h->flags);
  put32(out, AT_REMOVE, h->remove);
  put_f64(out, AT_RIDGE, h->ridge);
  put_f64(out, AT_RHO, h->rho);
  put_f64(out, AT_RIDGE_ADDED, h->ridge_added);
  put_f64(out, AT_POWER, h->power);
  char *at = append((char *)out + MODEL_HEADER, model->mean, 8 * d);
  if (!(h->flags & MODEL_IMPORTED)) at = append(at, model->eigenvalues, 8 * d);
  if (h->flags & MODEL_SCALES) at = append(append(at, model->row_scale, 8 * d), model->column_scale, 8 * (uint64_t)h->k);
  at = append(at, model->kernel, matrix);
  if (h->flags & MODEL_INVERSE) append(at, model->inverse, matrix);
  put64(out, AT_HASH, content_hash(out, size));
}

static int in_unit_interval(double x) {
  return x >= 0 && x <= 1;
}

static int header_is_sound(const struct model_header *h) {
  int keeps_d = h->method == WHITEN_ZCA || h->method == WHITEN_ZCA_COR || h->method == WHITEN_CHOLESKY;
  if (h->d < 1 || h->d > DIM_MAX || h->m < 1 || h->m > DIM_MAX || h->k < 1 || h->k > DIM_MAX) return 0;
  if (h->method >= WHITEN_METHOD_COUNT || (h->flags & ~(uint32_t)MODEL_FLAGS_KNOWN)) return 0;
  if (h->k > h->d || h->rank > h->d || h->remove > h->d - h->k || h->m != (keeps_d ? h->d : h->k)) return 0;
  uint32_t inverse = h->flags & (MODEL_SCALES | MODEL_INVERSE);
  if (h->flags & MODEL_IMPORTED) return h->method == WHITEN_PCA && inverse != MODEL_SCALES && inverse <= MODEL_INVERSE;
  if (inverse != (uint32_t)(keeps_d ? MODEL_INVERSE : MODEL_SCALES)) return 0;
  return h->n >= 0 && isfinite(h->weight) && h->weight >= 0 && in_unit_interval(h->power) && in_unit_interval(h->rho) &&
         isfinite(h->ridge) && h->ridge >= 0 && isfinite(h->ridge_added) && h->ridge_added >= 0;
}

static int is_zero(const void *blob, size_t from, size_t to) {
  const unsigned char *p = blob;
  for (size_t i = from; i < to; i++)
    if (p[i] != 0) return 0;
  return 1;
}

static const void *take(const char **at, uint64_t bytes) {
  const void *array = *at;
  *at += bytes;
  return array;
}

enum status model_read(const void *blob, size_t bytes, struct model_header *h, struct model_arrays *arrays) {
  *h = (struct model_header){0};
  *arrays = (struct model_arrays){0};
  enum status rc = check_common(blob, bytes, MODEL_MAGIC, MODEL_HEADER);
  if (rc) {
    h->size = MODEL_HEADER;
    return rc;
  }
  *h = (struct model_header){
      .size = get64(blob, AT_SIZE), .hash = get64(blob, AT_HASH), .d = get32(blob, AT_D), .k = get32(blob, AT_K),
      .m = get32(blob, AT_M), .rank = get32(blob, AT_RANK), .n = (int64_t)get64(blob, AT_N),
      .weight = get_f64(blob, AT_WEIGHT), .method = get32(blob, AT_METHOD), .flags = get32(blob, AT_FLAGS),
      .remove = get32(blob, AT_REMOVE), .ridge = get_f64(blob, AT_RIDGE), .rho = get_f64(blob, AT_RHO),
      .ridge_added = get_f64(blob, AT_RIDGE_ADDED), .power = get_f64(blob, AT_POWER)};
  if (h->size != bytes) return STATUS_TRUNCATED;
  if (!header_is_sound(h) || model_size(h) != bytes) return STATUS_HEADER;
  if (!is_zero(blob, AT_REMOVE + 4, AT_RIDGE) || !is_zero(blob, AT_POWER + 8, MODEL_HEADER)) return STATUS_HEADER;
  const char *at = (const char *)blob + MODEL_HEADER;
  uint64_t d = h->d, matrix = d * h->m * 4;
  arrays->mean = take(&at, 8 * d);
  if (!(h->flags & MODEL_IMPORTED)) arrays->eigenvalues = take(&at, 8 * d);
  if (h->flags & MODEL_SCALES) {
    arrays->row_scale = take(&at, 8 * d);
    arrays->column_scale = take(&at, 8 * (uint64_t)h->k);
  }
  arrays->kernel = take(&at, matrix);
  if (h->flags & MODEL_INVERSE) arrays->inverse = take(&at, matrix);
  return STATUS_OK;
}

static int all_finite_f64(const void *array, uint64_t count) {
  for (uint64_t i = 0; array != NULL && i < count; i++)
    if (!isfinite(get_f64(array, 8 * i))) return 0;
  return 1;
}

static int all_finite_f32(const void *array, uint64_t count) {
  for (uint64_t i = 0; array != NULL && i < count; i++)
    if ((get32(array, 4 * i) & 0x7f800000u) == 0x7f800000u) return 0;
  return 1;
}

enum status model_check_finite(const struct model_header *h, const struct model_arrays *arrays) {
  uint64_t d = h->d, matrix = d * h->m;
  int finite = all_finite_f64(arrays->mean, d) && all_finite_f64(arrays->eigenvalues, d) &&
               all_finite_f64(arrays->row_scale, d) && all_finite_f64(arrays->column_scale, h->k) &&
               all_finite_f32(arrays->kernel, matrix) && all_finite_f32(arrays->inverse, matrix);
  return finite ? STATUS_OK : STATUS_NOT_FINITE;
}

int model_is_model(const void *blob, size_t bytes) {
  return bytes >= sizeof MODEL_MAGIC && memcmp(blob, MODEL_MAGIC, sizeof MODEL_MAGIC) == 0;
}

int model_is_stats(const void *blob, size_t bytes) {
  return bytes >= sizeof STATS_MAGIC && memcmp(blob, STATS_MAGIC, sizeof STATS_MAGIC) == 0;
}

uint64_t stats_size(size_t d) {
  return STATS_HEADER + 8 * (uint64_t)d + 8 * ((uint64_t)d * (d + 1) / 2);
}

void stats_write(const struct moments *moments, void *out) {
  size_t d = moments->dim;
  uint64_t size = stats_size(d);
  memset(out, 0, STATS_HEADER);
  put_common(out, STATS_MAGIC, size, (uint32_t)d);
  put64(out, AT_STATS_N, (uint64_t)moments->rows);
  put_f64(out, AT_STATS_WEIGHT, moments->weight);
  char *at = append((char *)out + STATS_HEADER, moments->mean, 8 * d);
  for (size_t i = 0; i < d; i++) at = append(at, moments->cross + i * d + i, 8 * (d - i));
  put64(out, AT_HASH, content_hash(out, size));
}

/* Variances are not negative, and what is reserved is zero. */
static int stats_are_sound(const void *blob, size_t d) {
  size_t at = STATS_HEADER + 8 * d;
  for (size_t i = 0; i < d; at += 8 * (d - i), i++)
    if (get_f64(blob, at) < 0) return 0;
  return is_zero(blob, AT_D + 4, AT_STATS_N);
}

enum status stats_read(const void *blob, size_t bytes, struct stats_header *h) {
  *h = (struct stats_header){.size = STATS_HEADER};
  enum status rc = check_common(blob, bytes, STATS_MAGIC, STATS_HEADER);
  if (rc) return rc;
  *h = (struct stats_header){.size = get64(blob, AT_SIZE), .d = get32(blob, AT_D),
                             .n = (int64_t)get64(blob, AT_STATS_N), .weight = get_f64(blob, AT_STATS_WEIGHT)};
  if (h->size != bytes) return STATUS_TRUNCATED;
  if (h->d < 1 || h->d > DIM_MAX || h->n < 1 || h->n > MAX_ROWS || !(h->weight > 0) || isinf(h->weight))
    return STATUS_HEADER;
  if (stats_size(h->d) != bytes) return STATUS_HEADER;
  rc = model_check_hash(blob, bytes);
  if (rc) return rc;
  uint64_t numbers = (bytes - STATS_HEADER) / 8;
  if (!all_finite_f64((const char *)blob + STATS_HEADER, numbers)) return STATUS_NOT_FINITE;
  return stats_are_sound(blob, h->d) ? STATUS_OK : STATUS_HEADER;
}

void stats_unpack(const void *blob, const struct stats_header *h, double *mean, double *cross) {
  size_t d = h->d;
  const char *at = (const char *)blob + STATS_HEADER;
  memcpy(mean, at, 8 * d);
  at += 8 * d;
  memset(cross, 0, d * d * sizeof *cross);
  for (size_t i = 0; i < d; i++) {
    memcpy(cross + i * d + i, at, 8 * (d - i));
    at += 8 * (d - i);
  }
}
