/* SPDX-License-Identifier: BSD-3-Clause */
/* config_space: see config_space.h. PCIe 6.0 chapter 7. */
#include "sriov/config_space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"

#define SPACE_SIZE  4096u
/* PCI header, section 7.5.1 */
#define STATUS_CAPS 0x0010u /* at 0x06: there is a capability list */
#define CAP_POINTER 0x34u
#define CAP_MSIX    0x11u /* section 7.7.2 */
/* Extended capabilities, section 7.6.3 */
#define EXT_FIRST   0x100u
#define EXT_SERIAL  0x0003u /* section 7.9.3 */
#define EXT_ACS	    0x000du /* section 7.7.11 */
#define EXT_SRIOV   0x0010u /* section 9.3.3 */

struct space {
	uint8_t bytes[SPACE_SIZE];
	size_t len;
};

static uint32_t get(const struct space *s, size_t at, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size && at + i < s->len; i++)
		value |= (uint32_t)s->bytes[at + i] << (8 * i);
	return value;
}

static int read_space(const struct sriov *ctx, struct bdf bdf, struct space *s)
{
	char path[64], dev[BDF_TEXT];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", bdf_format(bdf, dev));
	int fd = openat(ctx->fs.root, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, s->bytes, sizeof(s->bytes), 0);
	int err = n < 0 ? -errno : 0;

	io_close(&fd);
	s->len = n < 0 ? 0 : (size_t)n;
	return err ? err : n < 64 ? -EIO : 0;
}

/* Offset of a capability; 0 for none. A list that runs in a circle ends. */
static size_t find(const struct space *s, uint32_t id)
{
	size_t at = get(s, 0x06, 2) & STATUS_CAPS ? get(s, CAP_POINTER, 1) & 0xfcu : 0;

	for (unsigned i = 0; at >= 0x40 && i < 48; i++) {
		if (get(s, at, 1) == id)
			return at;
		at = get(s, at + 1, 1) & 0xfcu;
	}
	return 0;
}

static size_t find_extended(const struct space *s, uint32_t id)
{
	size_t at = EXT_FIRST;

	for (unsigned i = 0; at >= EXT_FIRST && at + 4 <= s->len && i < 512; i++) {
		uint32_t head = get(s, at, 4);
		if (head && (head & 0xffff) == id)
			return at;
		at = head >> 20 & 0xffcu;
	}
	return 0;
}

int config_msix_size(const struct sriov *ctx, struct bdf bdf, uint32_t *size)
{
	struct space s;
	int err = read_space(ctx, bdf, &s);
	size_t at = err ? 0 : find(&s, CAP_MSIX);

	if (!at)
		return err ? err : -ENOENT;
	*size = (get(&s, at + 2, 2) & 0x7ff) + 1;
	return 0;
}

int config_serial(const struct sriov *ctx, struct bdf bdf, uint64_t *serial)
{
	struct space s;
	int err = read_space(ctx, bdf, &s);
	size_t at = err ? 0 : find_extended(&s, EXT_SERIAL);

	if (!at)
		return err ? err : -ENOENT;
	*serial = (uint64_t)get(&s, at + 8, 4) << 32 | get(&s, at + 4, 4);
	return 0;
}

int config_ari(const struct sriov *ctx, struct bdf bdf, bool *on)
{
	struct space s;
	int err = read_space(ctx, bdf, &s);
	size_t at = err ? 0 : find_extended(&s, EXT_SRIOV);

	if (!at)
		return err ? err : -ENOENT;
	*on = get(&s, at + 8, 2) & 0x10; /* SR-IOV Control, section 9.3.3.3 */
	return 0;
}
