/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse: text from users and from sysfs into numbers, all or nothing.
 *
 * Every function reads the whole string (surrounding white space is not accepted, except one
 * trailing newline for sysfs' sake), returns 0, or -EINVAL for text that is not of the form and
 * -ERANGE for a value outside [min, max]; `out` is untouched on failure. Nothing is logged: only
 * the caller knows what the text was meant to be.
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdint.h>

/* Decimal or 0x-hexadecimal. */
int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);
int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out);

/* A size in bytes: digits with an optional K, M, G or T (powers of 1024; "Ki", "KiB", "KB" and
 * lower case mean the same). */
int parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* "02:00:00:00:00:01"; -ERANGE when multicast (or broadcast) or all zero: neither can be a
 * station's own address (IEEE 802 clause 8). */
int parse_mac(const char *text, uint8_t out[6]);

#define PARSE_MAC_TEXT 18
/* Writes "02:00:00:00:00:01"; returns `text`. */
char *format_mac(const uint8_t mac[6], char text[PARSE_MAC_TEXT]);

/* "512 MiB", "1.5 GiB", "3 KiB": at most one decimal; returns `text`. */
#define PARSE_SIZE_TEXT 16
char *format_size(uint64_t bytes, char text[PARSE_SIZE_TEXT]);

#endif
