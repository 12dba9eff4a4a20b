/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xxh64: the 64-bit xxHash of a buffer, as its specification defines it
 * (github.com/Cyan4973/xxHash, doc/xxhash_spec.md, "XXH64 Algorithm Description").
 *
 * For finding damage, not malice. Written out here because it is sixty lines, and fast even where
 * the host's own CPU is emulated: one multiplication per eight bytes and no vector instruction.
 */
#ifndef BASE_XXH64_H
#define BASE_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t xxh64(const void *data, size_t len, uint64_t seed);

#endif
