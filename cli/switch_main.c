/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sluice-switch: one switch, one process.
 *
 * Its folder holds the control socket (ctl.sock), a lock that says it lives (lock), and its
 * configuration (config.json), which it reads at its start and keeps up to date: a switch that was
 * killed comes back as it was, and guests reconnect without knowing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/http_text.h"
#include "base/io.h"
#include "base/log.h"
#include "cli/sandbox_build.h"
#include "cli/switch_config.h"
#include "cli/switch_ctl.h"
#include "cli/switch_sandbox.h"

#define SUBJECT	   "sluice-switch"
#define CONFIG_MAX (4u << 20)

/* A guest that turns its queues on and off without end gets a new view this often, and no more. */
#define EVENT_MS 10
#define TICKS	 10 /* a second */

struct process {
	struct switch_ctl ctl;
	struct loop_source *events;
	struct http_text *http;
	char keep[PATH_MAX];
	int lock, signals, timer;
	unsigned ticks;
};

static const char usage[] =
	"usage: sluice-switch FOLDER [CONFIG]\n"
	"\n"
	"Runs a switch whose control socket, lock and configuration are in FOLDER. It starts as the\n"
	"JSON file CONFIG says, else as it was before; see sluice-switch(8). It is usually started by\n"
	"`sluice switch start`.\n";

/* ---- what wakes the control thread ---- */

static void on_signal(void *opaque, uint32_t events)
{
	struct process *p = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(p->signals, &info, sizeof(info)) == sizeof(info))
		loop_stop(p->ctl.loop, 0);
}

static void on_tick(void *opaque, uint32_t events)
{
	struct process *p = opaque;
	uint64_t count;

	(void)events;
	if (read(p->timer, &count, sizeof(count)) != sizeof(count))
		return;
	nq_switch_attend(p->ctl.sw);
	if (++p->ticks % TICKS == 0)
		nq_switch_tick(p->ctl.sw);
}

static void listen_again(void *opaque, uint32_t events)
{
	struct process *p = opaque;

	(void)events;
	loop_modify(p->events, EPOLLIN);
}

static void on_switch(void *opaque, uint32_t events)
{
	struct process *p = opaque;
	struct loop_source *timer;

	(void)events;
	nq_switch_event(p->ctl.sw);
	if (loop_modify(p->events, 0) == 0 &&
	    loop_timer(p->ctl.loop, EVENT_MS, listen_again, p, &timer))
		loop_modify(p->events, EPOLLIN);
}

/* ---- starting ---- */

/* Before any thread is made, so that all of them inherit the mask. */
static int open_signals(struct process *p)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals < 0 ? -errno : 0;
}

static int open_timer(struct process *p)
{
	const struct timespec tick = {.tv_nsec = 1000000000 / TICKS};
	const struct itimerspec ticks = {tick, tick};

	p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (p->timer < 0 || timerfd_settime(p->timer, 0, &ticks, NULL) < 0)
		return -errno;
	return 0;
}

static int take_lock(struct process *p, const char *folder)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/lock", folder);
	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->lock < 0)
		return log_fail(-errno, path, "not opened: %m");
	if (flock(p->lock, LOCK_EX | LOCK_NB) < 0)
		return log_fail(-EBUSY, folder,
				"a switch runs here already; see sluice switch show");
	return 0;
}

/* `wanted` must be there; what was kept need not. */
static int read_config(const struct process *p, const char *wanted, json_t **out)
{
	const char *path = wanted ? wanted : p->keep;
	char *text = NULL;
	json_error_t where;
	size_t len = 0;

	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !wanted) {
		*out = json_object();
		return *out ? 0 : -ENOMEM;
	}
	int err = fd < 0 ? -errno : io_read_file(fd, CONFIG_MAX, &text, &len);
	io_close(&fd);
	if (err)
		return log_fail(err, path, "not read: %s", strerror(-err));
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	free(text);
	if (!json_is_object(*out)) {
		json_decref(*out);
		*out = NULL;
		return log_fail(-EINVAL, path, "no configuration: %s (line %d)", where.text,
				where.line);
	}
	return 0;
}

/* What is kept from now on lacks what could not be made (a NIC that was taken, a socket in use): so
 * that it is not lost, the configuration as it was stays beside it. */
static void keep_former(const struct process *p, const json_t *config, unsigned failed)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s.before", p->keep);
	bool kept = json_dump_file(config, path, JSON_INDENT(2)) == 0;
	log_warn(SUBJECT, "%u things of its configuration are missing, the rest runs; %s %s",
		 failed, path, kept ? "has them all" : "could not be written");
}

static int start_switch(struct process *p, const json_t *config)
{
	char error[RPC_ERROR_TEXT] = "";
	const json_t *start = json_object_get(config, "start");
	struct nq_eal_options eal;
	struct nq_options options;
	int err = switch_start_decode(start, &eal, &options, error);

	if (err)
		return log_fail(err, SUBJECT, "%s", error);
	p->ctl.start = start ? json_deep_copy(start) : json_object();
	err = p->ctl.start ? nq_eal_start(&eal) : -ENOMEM;
	if (!err)
		err = nq_switch_create(&options, &p->ctl.sw);
	if (err)
		return err;
	unsigned failed = switch_config_apply(p->ctl.sw, config);
	if (failed)
		keep_former(p, config, failed);
	return 0;
}

static int start_control(struct process *p, const char *folder)
{
	struct loop_source *source;
	char path[PATH_MAX];
	int err = loop_create(&p->ctl.loop);

	snprintf(path, sizeof(path), "%s/ctl.sock", folder);
	if (!err)
		err = loop_add(p->ctl.loop, p->signals, EPOLLIN, on_signal, p, &source);
	if (!err)
		err = loop_add(p->ctl.loop, p->timer, EPOLLIN, on_tick, p, &source);
	if (!err)
		err = loop_add(p->ctl.loop, nq_switch_event_fd(p->ctl.sw), EPOLLIN, on_switch, p,
			       &p->events);
	int fd = err ? err : rpc_listen(path);
	if (fd >= 0)
		err = rpc_server_create(p->ctl.loop, fd, switch_ctl_methods, &p->ctl,
					&p->ctl.server);
	else
		err = fd;
	return err ? log_fail(err, path, "no control socket: %s", strerror(-err)) : 0;
}

/* Before DPDK makes its threads, and before anything of a guest's is read. */
static int harden(void)
{
	if (!sandbox_possible())
		return 0;
	if (!getenv(SWITCH_NO_SANDBOX))
		return switch_sandbox_enter();
	log_warn(SUBJECT, "runs with all the rights of whoever started it");
	return 0;
}

static char *metrics(void *opaque)
{
	return switch_ctl_metrics(opaque);
}

/* Frames matter more than numbers: without the latter it runs all the same. */
static void start_metrics(struct process *p)
{
	const char *where = json_string_value(json_object_get(p->ctl.start, "metrics"));
	int fd = where ? http_text_listen(where) : -ENOENT;

	if (fd >= 0 && !http_text_create(p->ctl.loop, fd, "/metrics", metrics, p->ctl.sw, &p->http))
		return;
	if (where)
		log_error(where,
			  "no metrics there: %s; an address such as 127.0.0.1:9179 is "
			  "wanted, with a port that is free",
			  fd < 0 ? strerror(-fd) : "no memory");
}

static int start(struct process *p, const char *folder, const char *wanted)
{
	json_t *config = NULL;
	int err = harden();

	if (!err)
		err = open_signals(p);
	if (!err)
		err = open_timer(p);
	if (!err)
		err = take_lock(p, folder);
	if (!err)
		err = read_config(p, wanted, &config);
	if (!err)
		err = start_switch(p, config);
	json_decref(config);
	if (!err)
		err = start_control(p, folder);
	if (!err)
		start_metrics(p);
	return err;
}

static void finish(struct process *p)
{
	http_text_destroy(p->http);
	rpc_server_destroy(p->ctl.server);
	nq_switch_destroy(p->ctl.sw);
	loop_destroy(p->ctl.loop);
	json_decref(p->ctl.start);
	io_close(&p->timer);
	io_close(&p->signals);
	io_close(&p->lock);
}

int main(int argc, char **argv)
{
	struct process p = {.lock = -1, .signals = -1, .timer = -1};

	if (argc < 2 || argc > 3 || argv[1][0] == '-') {
		fputs(usage, argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr);
		return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
	}
	if (snprintf(p.keep, sizeof(p.keep), "%s/config.json", argv[1]) >= (int)sizeof(p.keep)) {
		log_error(SUBJECT, "the folder's name is too long");
		return 1;
	}
	p.ctl.keep = p.keep;
	p.ctl.since = (int64_t)time(NULL);
	int err = start(&p, argv[1], argc == 3 ? argv[2] : NULL);
	if (!err) {
		switch_ctl_keep(&p.ctl);
		err = loop_run(p.ctl.loop);
	}
	finish(&p);
	nq_eal_stop();
	return err ? 1 : 0;
}
