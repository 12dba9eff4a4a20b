/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_journal: see vtd_journal.h. */
#include "iommu/vtd_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

struct vtd_journal {
	int fd;
	char path[PATH_MAX];
	char *memory; /* NULL while the unit is off */
};

static int make_directory(const char *run_dir, char path[PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/iommu", run_dir) >= PATH_MAX)
		return log_fail(-ENAMETOOLONG, run_dir, "too long for a run directory");
	if ((mkdir(run_dir, 0755) < 0 && errno != EEXIST) ||
	    (mkdir(path, 0700) < 0 && errno != EEXIST))
		return log_fail(-errno, path, "not made: %m");
	return 0;
}

static int lock_and_read(struct vtd_journal *journal)
{
	char *text = NULL;
	size_t length;

	journal->fd = open(journal->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (journal->fd < 0)
		return log_fail(-errno, journal->path, "not opened: %m");
	if (flock(journal->fd, LOCK_EX | LOCK_NB) < 0)
		return log_fail(errno == EWOULDBLOCK ? -EBUSY : -errno, journal->path,
				"another process drives this unit");
	int err = io_read_file(journal->fd, PATH_MAX, &text, &length);
	if (err)
		return log_fail(err, journal->path, "not read: %s", strerror(-err));
	if (length)
		journal->memory = text;
	else
		free(text);
	return 0;
}

int vtd_journal_open(const char *run_dir, uint64_t base, struct vtd_journal **out)
{
	struct vtd_journal *journal = calloc(1, sizeof(*journal));
	char directory[PATH_MAX];

	if (!journal)
		return -ENOMEM;
	journal->fd = -1;
	int err = make_directory(run_dir, directory);
	if (!err && snprintf(journal->path, sizeof(journal->path), "%s/%" PRIx64 ".unit", directory,
			     base) >= (int)sizeof(journal->path))
		err = log_fail(-ENAMETOOLONG, run_dir, "too long for a run directory");
	if (!err)
		err = lock_and_read(journal);
	if (err) {
		vtd_journal_close(journal);
		return err;
	}
	*out = journal;
	return 0;
}

const char *vtd_journal_left(const struct vtd_journal *journal)
{
	return journal->memory;
}

int vtd_journal_begin(struct vtd_journal *journal, const char *memory)
{
	char *copy = strdup(memory);

	if (!copy)
		return -ENOMEM;
	int err = lseek(journal->fd, 0, SEEK_SET) < 0 ? -errno : 0;
	if (!err)
		err = io_write_full(journal->fd, memory, strlen(memory));
	if (err) {
		free(copy);
		return log_fail(err, journal->path, "not written: %s", strerror(-err));
	}
	free(journal->memory);
	journal->memory = copy;
	return 0;
}

int vtd_journal_end(struct vtd_journal *journal)
{
	if (!journal->memory)
		return 0;
	if (unlink(journal->memory) < 0 && errno != ENOENT)
		return log_fail(-errno, journal->memory, "hugepages not given back: %m");
	if (ftruncate(journal->fd, 0) < 0)
		return log_fail(-errno, journal->path, "not emptied: %m");
	free(journal->memory);
	journal->memory = NULL;
	return 0;
}

void vtd_journal_close(struct vtd_journal *journal)
{
	if (!journal)
		return;
	io_close(&journal->fd);
	free(journal->memory);
	free(journal);
}
