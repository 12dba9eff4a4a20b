/* SPDX-License-Identifier: BSD-3-Clause */
/* tune_do: see tune.h; doing the steps, noting them, and undoing them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/tune.h"
#include "cli/tune_file.h"

#define FILE_MAX (1u << 20) /* /proc/cpuinfo of a large host */

/* ---- files ---- */

char *tune_path(const struct cli *cli, const char *path, char full[CLI_PATH])
{
	bool sys = !strncmp(path, "/sys/", 5);
	const char *root = sys ? cli->sysfs : strcmp(cli->root, "/") ? cli->root : "";

	return snprintf(full, CLI_PATH, "%s%s", root, sys ? path + 4 : path) < CLI_PATH ? full
											: NULL;
}

char *tune_read(const struct cli *cli, const char *path)
{
	char full[CLI_PATH], *text = NULL;
	size_t len;
	int fd = tune_path(cli, path, full) ? open(full, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 || io_read_file(fd, FILE_MAX, &text, &len))
		text = NULL;
	io_close(&fd);
	return text;
}

static int make_folder(char *full)
{
	for (char *at = full + 1; (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int write_whole(const char *full, int flags, const char *text)
{
	int fd = open(full, O_WRONLY | O_CLOEXEC | flags, 0644);
	int err = fd < 0 ? -errno : io_write_full(fd, text, strlen(text));

	if (!err && flags & O_CREAT && fsync(fd) < 0)
		err = -errno;
	io_close(&fd);
	return err;
}

int tune_write(const struct cli *cli, const char *path, const char *text)
{
	char full[CLI_PATH], aside[CLI_PATH + 8];

	if (!tune_path(cli, path, full))
		return -ENAMETOOLONG;
	if (!text)
		return unlink(full) < 0 && errno != ENOENT ? -errno : 0;
	if (strncmp(path, "/etc/", 5) != 0)
		return write_whole(full, O_TRUNC, text);
	int err = make_folder(full);
	snprintf(aside, sizeof(aside), "%s.new", full);
	if (!err)
		err = write_whole(aside, O_CREAT | O_TRUNC, text);
	if (!err && rename(aside, full) < 0)
		err = -errno;
	if (err)
		unlink(aside);
	return err;
}

/* ---- the notes ---- */

static int notes_path(const struct cli *cli, char path[CLI_PATH])
{
	return snprintf(path, CLI_PATH, "%s/tune.json", cli->state_dir) < CLI_PATH ? 0
										   : -ENAMETOOLONG;
}

/* [{"path", "before", "after"}]; a new reference. NULL, logged, when they cannot be understood. */
static json_t *read_notes(const struct cli *cli)
{
	char path[CLI_PATH];
	json_error_t where;

	if (notes_path(cli, path))
		return NULL;
	if (access(path, F_OK) < 0)
		return json_array();
	json_t *notes = json_load_file(path, 0, &where);
	if (!json_is_array(notes)) {
		json_decref(notes);
		log_error(path, "not understood: %s; nothing is changed without it", where.text);
		return NULL;
	}
	return notes;
}

static int write_notes(const struct cli *cli, const json_t *notes)
{
	char path[CLI_PATH], aside[CLI_PATH + 8];

	if (notes_path(cli, path))
		return -ENAMETOOLONG;
	if (!json_array_size(notes))
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	if (mkdir(cli->state_dir, 0755) < 0 && errno != EEXIST)
		return log_fail(-errno, cli->state_dir, "not made: %m");
	snprintf(aside, sizeof(aside), "%s.new", path);
	char *text = json_dumps(notes, JSON_INDENT(2));
	int err = text ? write_whole(aside, O_CREAT | O_TRUNC, text) : -ENOMEM;
	free(text);
	if (!err && rename(aside, path) < 0)
		err = -errno;
	return err ? log_fail(err, path, "not written: %s", strerror(-err)) : 0;
}

static json_t *note_of(const json_t *notes, const char *path)
{
	json_t *note;
	size_t i;

	json_array_foreach (notes, i, note)
		if (!strcmp(json_string_value(json_object_get(note, "path")), path))
			return note;
	return NULL;
}

/* What was there before the first of our changes is what it goes back to. */
static int take_note(const struct cli *cli, json_t *notes, const json_t *step)
{
	const char *path = json_string_value(json_object_get(step, "path"));
	json_t *note = note_of(notes, path);

	if (note)
		json_object_set(note, "after", json_object_get(step, "want"));
	else
		json_array_append_new(notes, json_pack("{s:s,s:O,s:O}", "path", path, "before",
						       json_object_get(step, "now"), "after",
						       json_object_get(step, "want")));
	return write_notes(cli, notes);
}

/* ---- doing ---- */

int tune_apply(struct cli *cli, const json_t *plan)
{
	json_t *notes = read_notes(cli), *step;
	int done = 0, failed = notes ? 0 : -EIO;
	size_t i;

	json_array_foreach (plan, i, step) {
		const char *path = json_string_value(json_object_get(step, "path"));
		int err = notes ? take_note(cli, notes, step) : failed;

		if (!err)
			err = tune_write(cli, path,
					 json_string_value(json_object_get(step, "want")));
		if (!err)
			done++;
		else if (err == -EIO && !strncmp(path, "/proc/irq/", 10))
			log_info(path, "cannot be moved, and stays"); /* managed by its driver */
		else if (notes)
			failed = log_fail(err, path, "not changed: %s", strerror(-err));
	}
	json_decref(notes);
	return failed ? failed : done;
}

/* What it is now, as far as it can be compared with what was written: the kernel puts brackets
 * around the word that holds, and a line feed behind it. */
static bool is_now(const char *now, const char *text)
{
	char choice[128];

	if (!now || !text)
		return !now && !text;
	size_t len = strlen(text);
	if (!strncmp(now, text, len) && (!now[len] || (now[len] == '\n' && !now[len + 1])))
		return true;
	snprintf(choice, sizeof(choice), "[%.100s]", text);
	return strstr(now, choice) != NULL;
}

/* 1 when it was put back, 0 when it is left as it is. */
static int undo_one(const struct cli *cli, const json_t *note)
{
	const char *path = json_string_value(json_object_get(note, "path"));
	const char *before = json_string_value(json_object_get(note, "before"));
	const char *after = json_string_value(json_object_get(note, "after"));
	char *now = tune_read(cli, path);
	bool ours = is_now(now, after), back = is_now(now, before);

	free(now);
	if (back)
		return 0;
	if (!ours) {
		log_warn(path, "somebody has changed it since; left as it is");
		return 0;
	}
	int err = tune_write(cli, path, before);
	return err ? log_fail(err, path, "not put back: %s", strerror(-err)) : 1;
}

int tune_undo(struct cli *cli)
{
	json_t *notes = read_notes(cli);
	int done = 0, failed = notes ? 0 : -EIO;

	for (size_t i = json_array_size(notes); i-- > 0;) {
		int one = undo_one(cli, json_array_get(notes, i));

		if (one < 0)
			failed = one;
		else
			json_array_remove(notes, i);
		done += one > 0;
	}
	int err = notes ? write_notes(cli, notes) : 0;
	json_decref(notes);
	return failed ? failed : err ? err : done;
}
