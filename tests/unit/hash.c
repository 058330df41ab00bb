/* core/hash: XXH64 against vectors published with the reference implementation. */
#include "core/hash.h"

#include "unit.h"

static const uint64_t PRIME32 = 2654435761u, PRIME64 = 11400714785074694797u;

/* The buffer that xxHash's own checks run on (cli/xsum_sanity_check.c). */
static void fill_sanity_buffer(unsigned char *buffer, size_t n) {
  uint64_t generator = PRIME32;
  for (size_t i = 0; i < n; i++, generator *= PRIME64) buffer[i] = (unsigned char)(generator >> 56);
}

TEST(hash_sanity_vectors) {
  static const struct {
    size_t n;
    uint64_t seed, hash;
  } VECTORS[] = {
      {0, 0, 0xef46db3751d8e999u},   {0, 2654435761u, 0xac75fda2929b17efu},
      {1, 0, 0xe934a84adb052768u},   {1, 2654435761u, 0x5014607643a9b4c3u},
      {4, 0, 0x9136a0dca57457eeu},   {4, 2654435761u, 0xcaab286bd8e9fdb5u},
      {14, 0, 0x8282dcc4994e35c8u},  {14, 2654435761u, 0xc3bd6bf63deb6df0u},
      {222, 0, 0xb641ae8cb691c174u}, {222, 2654435761u, 0x20cb8ab7ae10c14au},
  };
  unsigned char buffer[222];
  fill_sanity_buffer(buffer, sizeof buffer);
  for (size_t i = 0; i < COUNT(VECTORS); i++)
    assert_int_equal(hash_xxh64(buffer, VECTORS[i].n, VECTORS[i].seed), VECTORS[i].hash);
}

TEST(hash_text_vectors) {
  assert_int_equal(hash_xxh64("", 0, 0), 0xef46db3751d8e999u);
  assert_int_equal(hash_xxh64("a", 1, 0), 0xd24ec4f1a98c6e5bu);
  assert_int_equal(hash_xxh64("abc", 3, 0), 0x44bc2cf5ad770999u);
  assert_int_equal(hash_xxh64("Nobody inspects the spammish repetition", 39, 0), 0xfbcea83c8a378bf1u);
}

/* Bytes i % 251, computed with libxxhash 0.8.1: each length takes another path through stripes and tail. */
TEST(hash_every_kind_of_tail) {
  static const struct {
    size_t n;
    uint64_t hash;
  } VECTORS[] = {
      {2, 0x4865a00ba85b7cd6u},   {3, 0xe5c7bb4533bc65ddu},    {5, 0xdd0274386e26030cu},
      {7, 0x14cc643f630c72d2u},   {8, 0x884a173614b81b8du},    {9, 0x67d85784a7c78c5bu},
      {12, 0x424af23f1f08dca5u},  {15, 0xa948f5f0f6abac2du},   {16, 0x44b6ef2fb84169f7u},
      {17, 0x5603e60c527599b6u},  {31, 0xc346d2b59b4d8ee1u},   {32, 0xcbf59c5116ff32b4u},
      {33, 0x0c535d1acafb8eadu},  {36, 0xdde0ef85e3aef05cu},   {39, 0x00a396ef1679a859u},
      {40, 0xf5da40f1b11741e9u},  {63, 0xe26aa9e2a95f8e4fu},   {64, 0xf7c67301db6713f0u},
      {65, 0xc31eb63b2ae4465bu},  {127, 0x464d085810ce0199u},  {128, 0x7a7fe14647b9ab92u},
      {129, 0x0ba25dfd6e891fcfu}, {1000, 0xf306f04aa88b54d3u},
  };
  unsigned char bytes[1000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i % 251);
  for (size_t i = 0; i < COUNT(VECTORS); i++)
    assert_int_equal(hash_xxh64(bytes, VECTORS[i].n, 0), VECTORS[i].hash);
}

TEST(hash_ignores_alignment) {
  _Alignas(8) unsigned char bytes[8 + 222];
  for (size_t shift = 0; shift < 8; shift++) {
    fill_sanity_buffer(bytes + shift, 222);
    assert_int_equal(hash_xxh64(bytes + shift, 222, 0), 0xb641ae8cb691c174u);
  }
}

UNIT_MAIN(cmocka_unit_test(hash_sanity_vectors), cmocka_unit_test(hash_text_vectors),
          cmocka_unit_test(hash_every_kind_of_tail), cmocka_unit_test(hash_ignores_alignment))
