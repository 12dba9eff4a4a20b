/* SPDX-License-Identifier: BSD-3-Clause */
/* dmar: the table read, field by field and never past a length. See dmar.h; VT-d chapter 8. */
#include "iommu/dmar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define TABLE_MAX   (1u << 20)
#define HEADER_SIZE 48u /* 8.1: ACPI header of 36 bytes, width, flags, 10 reserved */
#define ENTRIES_MAX 4096u

/* A part of the table, read little-endian; `at` is where it lies, for messages. */
struct part {
	const uint8_t *bytes;
	size_t len, at;
};

static uint64_t get(const struct part *p, size_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)p->bytes[offset + i] << (8 * i);
	return value;
}

__attribute__((format(printf, 2, 3))) static int refuse(const struct part *p, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return log_fail(-EINVAL, "dmar", "firmware table refused: at byte %zu: %s", p->at, text);
}

const char *dmar_type_name(enum dmar_type type)
{
	static const char *const names[] = {"DRHD", "RMRR", "ATSR", "RHSA", "ANDD", "SATC"};

	return (unsigned)type < ARRAY_SIZE(names) ? names[type] : "unknown";
}

const char *dmar_scope_name(enum dmar_scope_type type)
{
	static const char *const names[] = {"",		"endpoint", "bridge",
					    "I/O APIC", "HPET",	    "ACPI device"};

	return (unsigned)type < ARRAY_SIZE(names) ? names[type] : "unknown";
}

/* ---- scopes (8.3.1) ---- */

static int parse_scope(const struct part *p, struct dmar_scope *out)
{
	*out = (struct dmar_scope){
		.type = (enum dmar_scope_type)get(p, 0, 1),
		.id = (uint8_t)get(p, 4, 1),
		.bus = (uint8_t)get(p, 5, 1),
		.depth = (uint8_t)MIN((p->len - 6) / 2, (size_t)255),
	};
	if (out->type < DMAR_SCOPE_ENDPOINT || out->type > DMAR_SCOPE_NAMESPACE)
		return refuse(p, "device scope of unknown type %u", out->type);
	if (!out->depth || out->depth > DMAR_PATH_MAX || p->len % 2)
		return refuse(p, "device scope with a path of %zu bytes", p->len - 6);
	for (unsigned i = 0; i < out->depth; i++) {
		out->path[i].dev = (uint8_t)get(p, 6 + 2 * i, 1);
		out->path[i].fn = (uint8_t)get(p, 7 + 2 * i, 1);
		if (out->path[i].dev > 31 || out->path[i].fn > 7)
			return refuse(p, "device scope with no device %02x.%x", out->path[i].dev,
				      out->path[i].fn);
	}
	return 0;
}

static int parse_scopes(const struct part *p, size_t offset, struct dmar_entry *entry)
{
	while (offset < p->len) {
		struct part scope = {p->bytes + offset, p->len - offset, p->at + offset};
		if (scope.len < 6 || get(&scope, 1, 1) < 6 || get(&scope, 1, 1) > scope.len)
			return refuse(&scope, "device scope of %u bytes, with %zu left",
				      scope.len < 2 ? 0 : (unsigned)get(&scope, 1, 1), scope.len);
		scope.len = (size_t)get(&scope, 1, 1);
		struct dmar_scope *grown =
			realloc(entry->scopes, (entry->scope_count + 1) * sizeof(*entry->scopes));
		if (!grown)
			return -ENOMEM;
		entry->scopes = grown;
		int err = parse_scope(&scope, &grown[entry->scope_count]);
		if (err)
			return err;
		entry->scope_count++;
		offset += scope.len;
	}
	return 0;
}

/* ---- structures (8.3 … 8.8) ---- */

static int parse_drhd(const struct part *p, struct dmar_entry *e)
{
	uint64_t base = get(p, 8, 8), size = UINT64_C(4096) << (get(p, 5, 1) & 15);

	e->all = get(p, 4, 1) & 1;
	e->segment = (uint16_t)get(p, 6, 2);
	if (!base || !IS_ALIGNED(base, 4096) || base + (size - 1) < base)
		return refuse(p, "unit with registers at 0x%" PRIx64, base);
	e->range = (struct range){base, base + (size - 1)};
	return parse_scopes(p, 16, e);
}

static int parse_rmrr(const struct part *p, struct dmar_entry *e)
{
	e->segment = (uint16_t)get(p, 6, 2);
	e->range = (struct range){get(p, 8, 8), get(p, 16, 8)};
	if (e->range.last <= e->range.start || !IS_ALIGNED(e->range.start, 4096) ||
	    !IS_ALIGNED(e->range.last + 1, 4096))
		return refuse(p, "reserved memory 0x%" PRIx64 "-0x%" PRIx64 " is no range of pages",
			      e->range.start, e->range.last);
	return parse_scopes(p, 24, e);
}

static int parse_atsr(const struct part *p, struct dmar_entry *e)
{
	e->all = get(p, 4, 1) & 1;
	e->segment = (uint16_t)get(p, 6, 2);
	return parse_scopes(p, 8, e);
}

static int parse_satc(const struct part *p, struct dmar_entry *e)
{
	e->required = get(p, 4, 1) & 1;
	e->segment = (uint16_t)get(p, 6, 2);
	return parse_scopes(p, 8, e);
}

static int parse_rhsa(const struct part *p, struct dmar_entry *e)
{
	e->range.start = e->range.last = get(p, 8, 8);
	e->proximity = (uint32_t)get(p, 16, 4);
	return 0;
}

static int parse_andd(const struct part *p, struct dmar_entry *e)
{
	size_t room = p->len - 8, len = strnlen((const char *)p->bytes + 8, room);

	e->number = (uint8_t)get(p, 7, 1);
	if (!len || len == room)
		return refuse(p, "ACPI device %u has a name without an end", e->number);
	snprintf(e->name, sizeof(e->name), "%.*s", (int)MIN(len, sizeof(e->name) - 1),
		 (const char *)p->bytes + 8);
	return 0;
}

static const struct {
	size_t min;
	int (*parse)(const struct part *p, struct dmar_entry *entry);
} kinds[] = {
	[DMAR_DRHD] = {16, parse_drhd}, [DMAR_RMRR] = {24, parse_rmrr},
	[DMAR_ATSR] = {8, parse_atsr},	[DMAR_RHSA] = {20, parse_rhsa},
	[DMAR_ANDD] = {9, parse_andd},	[DMAR_SATC] = {8, parse_satc},
};

static int parse_entry(struct dmar *dmar, const struct part *p)
{
	unsigned type = (unsigned)get(p, 0, 2);

	/* 8.2: types that a reader does not know are passed over. */
	if (type >= ARRAY_SIZE(kinds))
		return 0;
	if (p->len < kinds[type].min)
		return refuse(p, "%s of only %zu bytes", dmar_type_name((enum dmar_type)type),
			      p->len);
	if (dmar->count == ENTRIES_MAX)
		return refuse(p, "more than %u structures", ENTRIES_MAX);
	struct dmar_entry *grown =
		realloc(dmar->entries, (dmar->count + 1) * sizeof(*dmar->entries));
	if (!grown)
		return -ENOMEM;
	dmar->entries = grown;
	struct dmar_entry *entry = &grown[dmar->count++];
	*entry = (struct dmar_entry){.type = (enum dmar_type)type};
	return kinds[type].parse(p, entry);
}

/* ---- what no single structure can tell ---- */

static bool same_scope(const struct dmar_scope *a, const struct dmar_scope *b)
{
	return a->type == b->type && a->id == b->id && a->bus == b->bus && a->depth == b->depth &&
	       !memcmp(a->path, b->path, a->depth * sizeof(a->path[0]));
}

static int check_pair(const struct part *p, const struct dmar_entry *a, const struct dmar_entry *b)
{
	if (range_overlaps(a->range, b->range))
		return refuse(p, "the units at 0x%" PRIx64 " and 0x%" PRIx64 " overlap",
			      a->range.start, b->range.start);
	if (a->segment != b->segment)
		return 0;
	if (a->all && b->all)
		return refuse(p, "two units of segment %u claim all other devices", a->segment);
	for (size_t i = 0; i < a->scope_count; i++)
		for (size_t j = 0; j < b->scope_count; j++)
			if (same_scope(&a->scopes[i], &b->scopes[j]))
				return refuse(p,
					      "overlapping scopes: the units at 0x%" PRIx64
					      " and 0x%" PRIx64 " both claim the %s at bus %02x, "
					      "%02x.%x",
					      a->range.start, b->range.start,
					      dmar_scope_name(a->scopes[i].type), a->scopes[i].bus,
					      a->scopes[i].path[0].dev, a->scopes[i].path[0].fn);
	return 0;
}

static int check_units(const struct part *p, const struct dmar *dmar)
{
	for (size_t i = 0; i < dmar->count; i++)
		for (size_t j = i + 1; j < dmar->count; j++) {
			int err = dmar->entries[i].type == DMAR_DRHD &&
						  dmar->entries[j].type == DMAR_DRHD
					  ? check_pair(p, &dmar->entries[i], &dmar->entries[j])
					  : 0;
			if (err)
				return err;
		}
	return 0;
}

static int check_header(const struct part *p)
{
	uint8_t sum = 0;

	if (p->len < HEADER_SIZE || memcmp(p->bytes, "DMAR", 4) != 0)
		return refuse(p, "no DMAR table, or cut off (%zu bytes)", p->len);
	if (get(p, 4, 4) != p->len)
		return refuse(p, "its length says %" PRIu64 " bytes, %zu are there", get(p, 4, 4),
			      p->len);
	for (size_t i = 0; i < p->len; i++)
		sum = (uint8_t)(sum + p->bytes[i]);
	return sum ? refuse(p, "checksum is off by 0x%02x", sum) : 0;
}

static int parse_all(const struct part *p, struct dmar *dmar)
{
	unsigned flags = (unsigned)get(p, 37, 1);

	dmar->host_width = (unsigned)get(p, 36, 1) + 1;
	dmar->interrupt_remapping = flags & 1;
	dmar->x2apic_opt_out = flags & 2;
	dmar->dma_opt_in = flags & 4;
	for (size_t offset = HEADER_SIZE; offset < p->len;) {
		struct part entry = {p->bytes + offset, p->len - offset, offset};
		if (entry.len < 4 || get(&entry, 2, 2) < 4 || get(&entry, 2, 2) > entry.len)
			return refuse(&entry, "structure of %u bytes, with %zu left",
				      entry.len < 4 ? 0 : (unsigned)get(&entry, 2, 2), entry.len);
		entry.len = (size_t)get(&entry, 2, 2);
		int err = parse_entry(dmar, &entry);
		if (err)
			return err;
		offset += entry.len;
	}
	return check_units(p, dmar);
}

int dmar_parse(const void *table, size_t len, struct dmar **out)
{
	struct part p = {table, len, 0};
	struct dmar *dmar = calloc(1, sizeof(*dmar));
	int err = dmar ? check_header(&p) : -ENOMEM;

	if (!err)
		err = parse_all(&p, dmar);
	if (err)
		dmar_destroy(dmar);
	else
		*out = dmar;
	return err;
}

void dmar_destroy(struct dmar *dmar)
{
	if (!dmar)
		return;
	for (size_t i = 0; i < dmar->count; i++)
		free(dmar->entries[i].scopes);
	free(dmar->entries);
	free(dmar);
}

int dmar_read(const struct sysfs *fs, struct dmar **out)
{
	char *text = NULL;
	size_t len = 0;
	int fd = openat(fs->root, "firmware/acpi/tables/DMAR", O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return log_fail(-ENOENT, "iommu",
				"the firmware describes no VT-d unit; turn VT-d on in its setup");
	if (fd < 0)
		return log_fail(-errno, "iommu", "the firmware's DMAR table not read: %m");
	int err = io_read_file(fd, TABLE_MAX, &text, &len);
	io_close(&fd);
	if (err)
		return log_fail(err, "iommu", "the firmware's DMAR table not read: %s",
				strerror(-err));
	err = dmar_parse(text, len, out);
	free(text);
	return err;
}

/* ---- which device is where ---- */

/* Buses behind a bridge (PCI type 1 header: secondary at 19h, subordinate at 1Ah). */
static int bridge_buses(const struct sysfs *fs, struct bdf bdf, uint8_t *secondary,
			uint8_t *subordinate)
{
	char path[SYSFS_PATH], text[BDF_TEXT];
	uint8_t config[0x1b];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", bdf_format(bdf, text));
	int fd = openat(fs->root, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENODEV;
	int err = io_pread_full(fd, config, sizeof(config), 0);
	io_close(&fd);
	if (err || (config[0x0e] & 0x7f) != 1)
		return -ENODEV;
	*secondary = config[0x19];
	*subordinate = config[0x1a];
	return 0;
}

int dmar_scope_resolve(const struct sysfs *fs, uint16_t segment, const struct dmar_scope *scope,
		       struct bdf *out)
{
	uint8_t subordinate;
	struct bdf at = {segment, scope->bus, scope->path[0].dev, scope->path[0].fn};

	if (scope->type > DMAR_SCOPE_BRIDGE)
		return -ENOTSUP;
	for (unsigned i = 1; i < scope->depth; i++) {
		uint8_t bus;
		int err = bridge_buses(fs, at, &bus, &subordinate);
		if (err)
			return err;
		if (bus <= at.bus)
			return -ELOOP;
		at = (struct bdf){segment, bus, scope->path[i].dev, scope->path[i].fn};
	}
	*out = at;
	return 0;
}

static bool scope_covers(const struct sysfs *fs, const struct dmar_entry *entry,
			 const struct dmar_scope *scope, struct bdf bdf)
{
	uint8_t first, last;
	struct bdf at;

	if (dmar_scope_resolve(fs, entry->segment, scope, &at))
		return false;
	if (bdf_equal(at, bdf))
		return true;
	return scope->type == DMAR_SCOPE_BRIDGE && !bridge_buses(fs, at, &first, &last) &&
	       first > at.bus && bdf.bus >= first && bdf.bus <= last;
}

bool dmar_covers(const struct sysfs *fs, const struct dmar_entry *entry, struct bdf bdf)
{
	char text[BDF_TEXT], physical[32];

	if (!sysfs_link_name(fs, physical, sizeof(physical), "bus/pci/devices/%s/physfn",
			     bdf_format(bdf, text)))
		bdf_parse(physical, &bdf);
	if (bdf.domain != entry->segment)
		return false;
	for (size_t i = 0; i < entry->scope_count; i++)
		if (scope_covers(fs, entry, &entry->scopes[i], bdf))
			return true;
	return false;
}

const struct dmar_entry *dmar_unit_of(const struct dmar *dmar, const struct sysfs *fs,
				      struct bdf bdf)
{
	const struct dmar_entry *rest = NULL;

	for (size_t i = 0; i < dmar->count; i++) {
		const struct dmar_entry *e = &dmar->entries[i];
		if (e->type != DMAR_DRHD || e->segment != bdf.domain)
			continue;
		if (dmar_covers(fs, e, bdf))
			return e;
		if (e->all)
			rest = e;
	}
	return rest;
}
