/* See npy.h. */
#include "core/npy.h"

#include <string.h>

static const char MAGIC[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6 };

/* What is left of the dictionary. */
struct text {
  const char *at, *end;
};

int npy_is_npy(const void *file, size_t bytes) {
  return bytes >= MAGIC_BYTES && memcmp(file, MAGIC, MAGIC_BYTES) == 0;
}

static int accept(struct text *text, const char *word) {
  size_t length = strlen(word);
  while (text->at < text->end && (*text->at == ' ' || *text->at == '\n' || *text->at == '\t')) text->at++;
  if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0) return 0;
  text->at += length;
  return 1;
}

/* The value behind a key, wherever that stands; no value of a header that numpy writes looks like one. */
static int find(const struct text *header, const char *key, struct text *value) {
  size_t length = strlen(key);
  for (const char *p = header->at; (size_t)(header->end - p) > length + 1; p++) {
    if ((*p != '\'' && *p != '"') || memcmp(p + 1, key, length) != 0 || p[length + 1] != *p) continue;
    *value = (struct text){p + length + 2, header->end};
    return accept(value, ":");
  }
  return 0;
}

static int read_number(struct text *text, uint64_t *number) {
  const char *first;
  accept(text, "");
  for (first = text->at, *number = 0; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
    if (*number > UINT64_MAX / 100) return 0;
    *number = *number * 10 + (uint64_t)(*text->at - '0');
  }
  return text->at > first;
}

static enum npy_fault read_dtype(struct text value, struct npy *npy) {
  static const struct {
    const char *dtype;
    enum encoding encoding;
  } DTYPES[] = {{"<f4", ENCODING_F32}, {"<f8", ENCODING_F64}, {"<f2", ENCODING_F16}, {"|i1", ENCODING_I8}};
  accept(&value, "");
  char quote = value.at < value.end && (*value.at == '\'' || *value.at == '"') ? *value.at++ : 0;
  for (size_t i = 0; i + 1 < sizeof npy->dtype && value.at < value.end && *value.at != quote; i++)
    npy->dtype[i] = *value.at++;
  for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; i++) {
    if (quote == 0 || strcmp(npy->dtype, DTYPES[i].dtype) != 0) continue;
    npy->encoding = DTYPES[i].encoding;
    return NPY_OK;
  }
  return NPY_DTYPE;
}

static enum npy_fault read_shape(struct text value, struct npy *npy) {
  npy->axes = 1;
  npy->dim = 1;
  if (!accept(&value, "(") || !read_number(&value, &npy->n) || !accept(&value, ",")) return NPY_SHAPE;
  if (accept(&value, ")")) return NPY_OK;
  npy->axes = 2;
  if (!read_number(&value, &npy->dim)) return NPY_SHAPE;
  accept(&value, ",");
  return accept(&value, ")") ? NPY_OK : NPY_SHAPE;
}

enum npy_fault npy_read(const void *file, size_t bytes, struct npy *npy) {
  const unsigned char *p = file;
  size_t length = 0, width;
  struct text header, value;
  *npy = (struct npy){0};
  if (bytes < MAGIC_BYTES + 2) return NPY_HEADER;
  if (p[MAGIC_BYTES] < 1 || p[MAGIC_BYTES] > 3 || p[MAGIC_BYTES + 1] != 0) return NPY_VERSION;
  width = p[MAGIC_BYTES] == 1 ? 2 : 4;
  npy->data = MAGIC_BYTES + 2 + width;
  if (bytes < npy->data) return NPY_HEADER;
  for (size_t i = width; i-- > 0;) length = length << 8 | p[MAGIC_BYTES + 2 + i];
  if (length > bytes - npy->data) return NPY_HEADER;
  header = (struct text){(const char *)p + npy->data, (const char *)p + npy->data + length};
  npy->data += length;
  if (!find(&header, "descr", &value)) return NPY_HEADER;
  enum npy_fault fault = read_dtype(value, npy);
  if (fault != NPY_OK) return fault;
  if (!find(&header, "fortran_order", &value)) return NPY_HEADER;
  if (!accept(&value, "False")) return NPY_FORTRAN;
  return find(&header, "shape", &value) ? read_shape(value, npy) : NPY_HEADER;
}
