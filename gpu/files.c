/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * files: settings that a driver shows as one small file each, or as one a tile.
 *
 * A driver may round or clamp what it is told and call that success (so do Intel's), so every write
 * is read back and held against what was asked for.
 */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "gpu/backend.h"

#define TILES 8

struct matches {
	char path[TILES][SYSFS_PATH];
	size_t count;
};

struct search {
	const struct gpu *gpu;
	const char *name, *dir, *rest;
	struct matches *out;
};

static int match(const char *entry, void *opaque)
{
	const struct search *s = opaque;
	struct matches *m = s->out;

	if (m->count == TILES || fnmatch(s->name, entry, 0))
		return 0;
	int n = snprintf(m->path[m->count], SYSFS_PATH, "%s/%s%s", s->dir, entry, s->rest);
	if (n > 0 && n < SYSFS_PATH && sysfs_exists(&s->gpu->fs, "%s", m->path[m->count]))
		m->count++;
	return 0;
}

/* The files of "BASE/PATTERN"; one component of the pattern may have a '*'. */
static void expand(const struct gpu *gpu, const char *base, const char *pattern, int vf,
		   struct matches *out)
{
	char path[SYSFS_PATH], dir[SYSFS_PATH], name[64];
	const char *number = strstr(pattern, "%d");
	int n = number ? snprintf(path, sizeof(path), "%s/%.*s%d%s", base, (int)(number - pattern),
				  pattern, vf, number + 2)
		       : snprintf(path, sizeof(path), "%s/%s", base, pattern);

	out->count = 0;
	if (n < 0 || n >= SYSFS_PATH)
		return;
	char *star = strchr(path, '*');
	if (!star) {
		out->count = sysfs_exists(&gpu->fs, "%s", path);
		memcpy(out->path[0], path, sizeof(path));
		return;
	}
	const char *rest = strchr(star, '/');
	char *slash = star;
	while (*slash != '/')
		slash--;
	snprintf(name, sizeof(name), "%.*s", (int)(rest ? rest - slash - 1 : 63), slash + 1);
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	struct search s = {gpu, name, dir, rest ? rest : "", out};
	sysfs_list(&gpu->fs, match, &s, "%s", dir);
}

/* The first of a file's patterns that is there. */
static bool locate(const struct gpu *gpu, const char *base, const struct gpu_file *file, int vf,
		   struct matches *out)
{
	out->count = 0;
	for (size_t i = 0; i < GPU_FILES && file->pattern[i] && !out->count; i++)
		expand(gpu, base, file->pattern[i], vf, out);
	return out->count;
}

/* "[low] normal high" shows the chosen one of several. */
static void plain(char text[GPU_VALUE])
{
	char *open = strchr(text, '['), *end = open ? strchr(open, ']') : NULL;

	if (!end)
		return;
	*end = '\0';
	memmove(text, open + 1, (size_t)(end - open));
}

/* One value of all the files: their sum of bytes, or what all of them say. -EUCLEAN when tiles
 * differ, which the xe driver answers itself too. */
static int read_value(const struct gpu *gpu, const struct matches *m, bool bytes,
		      char out[GPU_VALUE])
{
	uint64_t sum = 0, one;
	char text[GPU_VALUE];

	for (size_t i = 0; i < m->count; i++) {
		int err = sysfs_read(&gpu->fs, text, sizeof(text), "%s", m->path[i]);
		if (err)
			return err;
		plain(text);
		if (bytes && parse_u64(text, 0, UINT64_MAX, &one))
			return -EUCLEAN;
		sum += bytes ? one : 0;
		if (!bytes && i && strcmp(text, out))
			return -EUCLEAN;
		memcpy(out, text, GPU_VALUE);
	}
	if (bytes)
		snprintf(out, GPU_VALUE, "%" PRIu64, sum);
	return 0;
}

static int setting_index(const char *name)
{
	for (int i = 0; i < GPU_SETTINGS; i++)
		if (!strcmp(gpu_settings[i].name, name))
			return i;
	return -1;
}

int gpu_files_read(const struct gpu *gpu, const char *base, const struct gpu_file *table,
		   size_t rows, int vf, struct gpu_slice *slice)
{
	for (size_t i = 0; i < rows; i++) {
		struct matches m;
		int at = setting_index(table[i].setting);
		if (at < 0 || !locate(gpu, base, &table[i], vf, &m))
			continue;
		int err = read_value(gpu, &m, table[i].bytes, slice->value[at]);
		if (err == -EUCLEAN)
			snprintf(slice->value[at], GPU_VALUE, "differs");
		else if (err)
			slice->value[at][0] = '\0';
	}
	return 0;
}

int gpu_files_sum(const struct gpu *gpu, const char *base, const char *pattern, int vf,
		  uint64_t *out)
{
	char text[GPU_VALUE];
	struct matches m;

	expand(gpu, base, pattern, vf, &m);
	int err = m.count ? read_value(gpu, &m, true, text) : -ENOENT;
	return err ? err : parse_u64(text, 0, UINT64_MAX, out);
}

static const char *reason(int err)
{
	switch (err) {
	case -EDQUOT:
	case -ENOSPC:
		return "more than is left";
	case -EPERM:
		return "the driver does not allow it now; kernel lockdown, or the VF runs";
	case -EBUSY:
		return "the VF is in use";
	case -EUCLEAN:
		return "an earlier quota was left; destroy all VFs and make them again";
	case -EOPNOTSUPP:
		return "the hardware cannot";
	default:
		return strerror(-err);
	}
}

static int write_files(const struct gpu *gpu, const char *subject, const struct matches *m,
		       const struct gpu_file *file, const char *value)
{
	char text[GPU_VALUE];
	uint64_t bytes = 0;

	if (file->bytes && parse_u64(value, 0, UINT64_MAX, &bytes))
		return log_fail(-EINVAL, subject, "%s '%s' is no number of bytes", file->setting,
				value);
	for (size_t i = 0; i < m->count; i++) {
		snprintf(text, sizeof(text), "%s", value);
		if (file->bytes)
			snprintf(text, sizeof(text), "%" PRIu64,
				 bytes / m->count + (i < bytes % m->count));
		int err = gpu_write(gpu, text, "%s", m->path[i]);
		if (err)
			return log_fail(err, subject, "%s %s refused: %s", file->setting, value,
					reason(err));
	}
	return 0;
}

int gpu_files_write(const struct gpu *gpu, const char *subject, const char *base,
		    const struct gpu_file *file, int vf, const char *value)
{
	char now[GPU_VALUE] = "";
	struct matches m;

	if (!*value) /* was not known, so it cannot be put back */
		return 0;
	if (!locate(gpu, base, file, vf, &m))
		return log_fail(-EOPNOTSUPP, subject, "this driver has no %s for a VF",
				file->setting);
	int err = read_value(gpu, &m, file->bytes, now);
	if (!err && !strcmp(now, value))
		return 0;
	err = write_files(gpu, subject, &m, file, value);
	if (err)
		return err;
	err = read_value(gpu, &m, file->bytes, now);
	if (err)
		return log_fail(err, subject, "%s not read back: %s", file->setting, reason(err));
	if (strcmp(now, value))
		return log_fail(-ERANGE, subject, "%s: %s was asked for, and the driver made it %s",
				file->setting, value, now);
	return 0;
}
