/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io: file descriptors without the traps of read(2), write(2) and close(2).
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <sys/types.h>

/* Closes *fd when it is >= 0 and sets it to -1. errno is kept: it is called on error paths. EINTR
 * is not retried: Linux has freed the number by then, and another thread may own it already. */
void io_close(int *fd);

/* Until `len` bytes are through; 0, or a negative errno (-EPIPE for an early end of file). */
int io_read_full(int fd, void *buf, size_t len);
int io_write_full(int fd, const void *buf, size_t len);
int io_pread_full(int fd, void *buf, size_t len, off_t offset);

/* The whole file, NUL-terminated, in memory that the caller frees. -EFBIG beyond `max` bytes. */
int io_read_file(int fd, size_t max, char **out, size_t *len);

/* FD_CLOEXEC on or off. */
int io_set_cloexec(int fd, int on);
int io_set_nonblock(int fd, int on);

#endif
