/* SPDX-License-Identifier: BSD-3-Clause */
/* exit_trace: see exit_trace.h; Linux Documentation/trace/histogram.rst. */
#include "cli/exit_trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/patience.h"

#define SUBJECT	 "kvm_exit"
#define HIST	 "hist:keys=isa,exit_reason:sort=hitcount"
#define TEXT_MAX (1u << 20)
#define PATH	 256
#define FILTER	 4096
/* KVM_ISA_VMX, KVM_ISA_SVM: arch/x86/kvm/trace.h */
#define ISA_VMX	 1
#define ISA_SVM	 2

static int by_count(const void *a, const void *b)
{
	const struct exit_trace_row *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

size_t exit_trace_parse(const char *text, struct exit_trace_row rows[EXIT_TRACE_ROWS])
{
	size_t count = 0;

	while (*text && count < EXIT_TRACE_ROWS) {
		struct exit_trace_row *row = &rows[count];
		unsigned isa;

		if (sscanf(text, "{ isa: %u, exit_reason: %" SCNu32 " } hitcount: %" SCNu64, &isa,
			   &row->reason, &row->count) == 3) {
			row->kind = isa == ISA_VMX   ? HV_CAPS_VMX
				    : isa == ISA_SVM ? HV_CAPS_SVM
						     : HV_CAPS_NONE;
			count++;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	qsort(rows, count, sizeof(rows[0]), by_count);
	return count;
}

/* " if common_pid == 12 || common_pid == 13" */
static int make_filter(const int *threads, size_t count, char filter[FILTER])
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		int n = snprintf(filter + at, FILTER - at, "%s common_pid == %d", i ? " ||" : " if",
				 threads[i]);
		if (n < 0 || (size_t)n >= FILTER - at)
			return -E2BIG;
		at += (size_t)n;
	}
	return count ? 0 : -ESRCH;
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : io_write_full(fd, text, strlen(text));

	io_close(&fd);
	return err;
}

/* Instances of ours whose process was killed before it could take them away; their triggers go too.
 */
static void sweep(const char *tracefs)
{
	char path[PATH];
	const struct dirent *entry;
	int pid;

	snprintf(path, sizeof(path), "%s/instances", tracefs);
	DIR *dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "sluice-%d", &pid) == 1 && kill(pid, 0) < 0 &&
		    errno == ESRCH && unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0)
			log_warn(SUBJECT, "%s/%s not removed: %m", path, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static int count_and_read(const char *event, const char *filter, unsigned seconds, char **text)
{
	struct patience patience;
	char path[PATH + 16], command[FILTER + sizeof(HIST)];
	size_t len;

	snprintf(path, sizeof(path), "%s/trigger", event);
	snprintf(command, sizeof(command), HIST "%s", filter);
	int err = put(path, command);
	if (err)
		return err;
	patience_begin(&patience); /* a signal ends it early, and what was counted is shown */
	patience_wait(&patience, (int64_t)seconds * 1000);
	snprintf(path, sizeof(path), "%s/hist", event);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	err = fd < 0 ? -errno : io_read_file(fd, TEXT_MAX, text, &len);
	io_close(&fd);
	snprintf(path, sizeof(path), "%s/trigger", event);
	snprintf(command, sizeof(command), "!" HIST "%s", filter);
	int undone = put(path, command);
	patience_end(&patience);
	return err ? err : undone;
}

int exit_trace(const char *tracefs, const int *threads, size_t count, unsigned seconds,
	       struct exit_trace_row rows[EXIT_TRACE_ROWS])
{
	char instance[PATH / 2], event[PATH], filter[FILTER], *text = NULL;
	int err = make_filter(threads, count, filter);

	snprintf(instance, sizeof(instance), "%s/instances/sluice-%d", tracefs, (int)getpid());
	snprintf(event, sizeof(event), "%s/events/kvm/kvm_exit", instance);
	sweep(tracefs);
	if (!err && mkdir(instance, 0700) < 0)
		err = -errno;
	if (err)
		return log_fail(err, SUBJECT,
				"exits cannot be traced: no instance below %s: %s; run as root, "
				"with tracefs mounted there",
				tracefs, strerror(-err));
	err = count_and_read(event, filter, seconds, &text);
	if (rmdir(instance) < 0)
		log_warn(SUBJECT, "%s not removed: %m", instance);
	if (err) {
		free(text);
		return log_fail(err, SUBJECT, "exits cannot be counted in %s: %s", event,
				strerror(-err));
	}
	int found = text ? (int)exit_trace_parse(text, rows) : 0;
	free(text);
	return found;
}
