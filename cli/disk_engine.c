/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk_engine: see disk_engine.h. The engine's options: qemu-storage-daemon(1),
 * qemu-block-drivers(7).
 *
 * The socket is made here and handed to the engine, so that it outlives one that dies: whoever
 * connects meanwhile waits for the next. That the engine serves is told by the greeting of its
 * monitor, which it opens last.
 */
#include "cli/disk_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/rpc.h"
#include "base/util.h"
#include "cli/vm_dir.h"

#define ENGINE	  "qemu-storage-daemon"
#define SOCKET	  "engine-%u.sock"
#define START_MS  30000
#define CLOSE_MS  10000 /* to write its tables and close the image */
#define WAIT_MS	  (CLOSE_MS + 5000)
#define AGAIN_MIN 100
#define AGAIN_MAX 5000
#define FDS_KEPT  500 /* numbers from here on */

struct keeper {
	char subject[VMM_NAME_MAX + 64]; /* "disk web.qcow2" */
	char log[CLI_PATH];		 /* the VM's */
	char *image;
	const struct disk_spec *spec;
	bool block_device;
	unsigned queues;
	const char *socket;
	int listener, life;
	pid_t pid;
	int pidfd, words, monitor; /* of the engine: its end, what it says, its greeting */
	char said[DISK_ENGINE_WORDS];
	size_t said_len;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- its options ---- */

/* A comma in a value is written twice. */
static void put_path(FILE *out, const char *path)
{
	for (; *path; path++)
		fprintf(out, *path == ',' ? ",," : "%c", *path);
}

static char *file_option(const struct keeper *k)
{
	const char *access = k->spec->read_only ? "on" : "off";
	const char *direct = k->spec->direct ? "on" : "off";
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out,
		"driver=%s,node-name=file,aio=io_uring,cache.direct=%s,discard=unmap,read-only=%s,"
		"auto-read-only=off,locking=%s,filename=",
		k->block_device ? "host_device" : "file", direct, access,
		k->spec->share ? "off" : "on");
	put_path(out, k->image);
	return fclose(out) ? NULL : text;
}

static char *format_option(const struct keeper *k)
{
	char *text;

	return asprintf(
		       &text,
		       "driver=%s,node-name=format,file=file,cache.direct=%s,discard=unmap,read-only=%s,"
		       "auto-read-only=off",
		       k->spec->format, k->spec->direct ? "on" : "off",
		       k->spec->read_only ? "on" : "off") < 0
		       ? NULL
		       : text;
}

static char *limit_option(const struct keeper *k)
{
	char *text;

	return asprintf(&text, "throttle-group,id=limit,x-iops-total=%llu,x-bps-total=%llu",
			(unsigned long long)k->spec->iops, (unsigned long long)k->spec->bps) < 0
		       ? NULL
		       : text;
}

static char *export_option(const struct keeper *k, bool limited)
{
	char *text;

	return asprintf(
		       &text,
		       "type=vhost-user-blk,id=disk,node-name=%s,addr.type=fd,addr.str=%d,writable=%s,"
		       "num-queues=%u",
		       limited ? "limited" : "format", k->listener,
		       k->spec->read_only ? "off" : "on", k->queues) < 0
		       ? NULL
		       : text;
}

/* In the engine's process. Only returns when the program could not be started. */
static void become_engine(const struct keeper *k, int monitor, int words)
{
	const char *wanted = getenv("SLUICE_STORAGE_DAEMON");
	const char *program = wanted && *wanted ? wanted : ENGINE;
	bool limited = k->spec->iops || k->spec->bps;
	char chardev[64],
		*options[] = {file_option(k), format_option(k), limited ? limit_option(k) : NULL,
			      export_option(k, limited)};
	int null = open("/dev/null", O_RDWR);
	char *argv[24];
	size_t n = 0;

	snprintf(chardev, sizeof(chardev), "socket,id=ready,fd=%d", monitor);
	argv[n++] = (char *)(uintptr_t)ENGINE;
	for (size_t i = 0; i < 2; i++) {
		argv[n++] = (char *)(uintptr_t) "--blockdev";
		argv[n++] = options[i];
	}
	if (limited) {
		argv[n++] = (char *)(uintptr_t) "--object";
		argv[n++] = options[2];
		argv[n++] = (char *)(uintptr_t) "--blockdev";
		argv[n++] = (char *)(uintptr_t) "driver=throttle,node-name=limited,"
						"throttle-group=limit,file=format";
	}
	argv[n++] = (char *)(uintptr_t) "--export";
	argv[n++] = options[3];
	argv[n++] = (char *)(uintptr_t) "--chardev";
	argv[n++] = chardev;
	argv[n++] = (char *)(uintptr_t) "--monitor";
	argv[n++] = (char *)(uintptr_t) "chardev=ready";
	argv[n] = NULL;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(words, STDERR_FILENO);
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	io_set_cloexec(k->listener, 0);
	io_set_cloexec(monitor, 0);
	execvp(program, argv);
	dprintf(STDERR_FILENO, "%s not started: %s%s\n", program, strerror(errno),
		errno == ENOENT ? "; install qemu-system-common (Debian 12) or qemu-utils" : "");
}

/* ---- one life of it ---- */

static void engine_process(const struct keeper *k, pid_t keeper, int monitor, int words)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getppid() == keeper) /* else that died before the line above */
		become_engine(k, monitor, words);
	_exit(127);
}

static int spawn(struct keeper *k)
{
	int words[2] = {-1, -1}, monitor[2] = {-1, -1};
	pid_t self = getpid();
	int err = 0;

	k->said_len = 0;
	if (pipe2(words, O_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor) < 0 ||
	    (k->pid = fork()) < 0)
		err = -errno;
	else if (k->pid == 0)
		engine_process(k, self, monitor[1], words[1]);
	io_close(&words[1]);
	io_close(&monitor[1]);
	k->words = words[0];
	k->monitor = monitor[0];
	k->pidfd = err ? -1 : (int)syscall(SYS_pidfd_open, k->pid, 0);
	if (!err && k->pidfd < 0)
		err = -errno;
	return err;
}

static void forget(struct keeper *k)
{
	io_close(&k->words);
	io_close(&k->monitor);
	io_close(&k->pidfd);
	k->pid = -1;
}

/* Into the VM's log, which is made anew with each start. */
static void say(const struct keeper *k, const char *text)
{
	int fd = open(k->log, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd >= 0)
		dprintf(fd, "sluice: %s: %s\n", k->subject, text);
	io_close(&fd);
}

/* The first line, which has the reason; without the program's name and the option it complains of.
 */
static void tidy(char *said)
{
	char *from = said, *colon;

	if (!strncmp(from, ENGINE ": ", strlen(ENGINE ": ")))
		from += strlen(ENGINE ": ");
	if (!strncmp(from, "--", 2) && (colon = strstr(from, ": ")))
		from = colon + 2;
	memmove(said, from, strlen(from) + 1);
	said[strcspn(said, "\n")] = '\0';
}

/* What it says is kept until it serves, and goes to the log from then on. False at the end. */
static bool listen_to(struct keeper *k, bool serves)
{
	size_t room = sizeof(k->said) - 1 - k->said_len;
	ssize_t n = read(k->words, k->said + k->said_len, room);

	if (n <= 0)
		return false;
	k->said_len += (size_t)n;
	k->said[k->said_len] = '\0';
	if (serves || k->said_len == sizeof(k->said) - 1) {
		tidy(k->said);
		if (serves)
			say(k, k->said);
		k->said_len = serves ? 0 : k->said_len / 2; /* the first words count */
	}
	return true;
}

enum heard { SERVES, DIED, UNWANTED, LATE };

/* Until something happens. Before it serves, its greeting is something. */
static enum heard attend(struct keeper *k, bool serves)
{
	int64_t deadline = now_ms() + START_MS;

	for (;;) {
		struct pollfd ask[] = {
			{.fd = k->life, .events = POLLIN},
			{.fd = k->words, .events = POLLIN},
			{.fd = k->pidfd, .events = POLLIN},
			{.fd = serves ? -1 : k->monitor, .events = POLLIN},
		};
		int64_t left = MAX(deadline - now_ms(), 0);

		if (poll(ask, ARRAY_SIZE(ask), serves ? -1 : (int)left) < 0 && errno != EINTR)
			return UNWANTED;
		if (ask[1].revents && !listen_to(k, serves))
			io_close(&k->words);
		else if (ask[1].revents)
			continue; /* all that it says, first */
		if (ask[0].revents)
			return UNWANTED;
		if (ask[2].revents)
			return DIED;
		char byte;
		if (ask[3].revents && read(k->monitor, &byte, 1) == 1)
			return SERVES;
		if (!serves && left == 0)
			return LATE;
	}
}

/* Orderly, if it lets itself be ended so. */
static void end_engine(const struct keeper *k)
{
	struct pollfd gone = {.fd = k->pidfd, .events = POLLIN};

	if (k->pid <= 0)
		return;
	kill(k->pid, SIGTERM);
	if (poll(&gone, 1, CLOSE_MS) != 1)
		kill(k->pid, SIGKILL);
	waitpid(k->pid, NULL, 0);
}

/* ---- the keeper ---- */

static void keeper_ends(struct keeper *k)
{
	end_engine(k);
	unlink(k->socket);
	_exit(0);
}

/* True when the wait is over, false when nobody wants the disk any more. */
static bool pause_for(const struct keeper *k, int ms)
{
	struct pollfd life = {.fd = k->life, .events = POLLIN};

	return poll(&life, 1, ms) == 0;
}

static void tell_death(const struct keeper *k, int status, bool served)
{
	char text[DISK_ENGINE_WORDS + 128];

	snprintf(text, sizeof(text), "its engine (" ENGINE ") %s %d%s%.400s; started again",
		 WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		 !served && k->said_len ? ": " : "", !served && k->said_len ? k->said : "");
	say(k, text);
}

/* For as long as the disk is wanted. */
static void keep(struct keeper *k)
{
	int again = AGAIN_MIN;
	bool serves = true;

	for (;;) {
		int64_t since = now_ms();
		enum heard heard = attend(k, serves);
		int status = 0;

		if (heard == UNWANTED)
			keeper_ends(k);
		if (heard == SERVES) {
			serves = true;
			k->said_len = 0;
			continue;
		}
		if (heard == LATE)
			kill(k->pid, SIGKILL);
		waitpid(k->pid, &status, 0);
		tidy(k->said);
		tell_death(k, status, serves);
		forget(k);
		again = now_ms() - since > AGAIN_MAX ? AGAIN_MIN : MIN(2 * again, AGAIN_MAX);
		serves = false;
		if (!pause_for(k, again) || spawn(k))
			keeper_ends(k);
	}
}

/* The keeper's process: a copy of sluice that has nothing of it but what it needs. */
static void keeper_process(struct keeper *k, int ready)
{
	char words[DISK_ENGINE_WORDS];
	int *const mine[] = {&k->listener, &k->life, &ready};
	sigset_t all;
	int last = 0;

	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "sluice-keeper");
	for (size_t i = 0; i < ARRAY_SIZE(mine); i++) { /* out of the way of what is closed */
		*mine[i] = fcntl(*mine[i], F_DUPFD_CLOEXEC, FDS_KEPT);
		if (*mine[i] < 0)
			_exit(1);
		last = MAX(last, *mine[i]);
	}
	syscall(SYS_close_range, 3, FDS_KEPT - 1, 0);
	syscall(SYS_close_range, last + 1, ~0u, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (chdir("/") < 0) /* no file system is kept busy */
		_exit(1);
	int err = spawn(k);
	enum heard heard = err ? DIED : attend(k, false);
	if (heard == SERVES) {
		io_write_full(ready, "", 1);
		io_close(&ready);
		k->said_len = 0;
		keep(k);
	}
	tidy(k->said);
	snprintf(words, sizeof(words), "%s",
		 err		 ? strerror(-err)
		 : heard == LATE ? "it does not come up"
		 : k->said_len	 ? k->said
				 : "it ended without a word");
	io_write_full(ready, words, strlen(words) + 1);
	keeper_ends(k);
}

/* ---- starting ---- */

/* The first name that is free; the VM may have more than one such disk. */
static int make_socket(const struct cli *cli, const char *vm, char path[CLI_PATH], int *fd)
{
	char file[32];

	for (unsigned i = 0; i < VMM_DISKS_MAX + 4; i++) {
		snprintf(file, sizeof(file), SOCKET, i);
		int err = vm_path(cli, vm, file, path);

		if (err)
			return err;
		if (access(path, F_OK) == 0)
			continue;
		*fd = rpc_listen(path);
		return *fd < 0 ? *fd : 0;
	}
	return -EMFILE;
}

/* "" when it serves. */
static int await_ready(int ready, char why[DISK_ENGINE_WORDS])
{
	size_t len = 0;
	ssize_t n;

	while (len < DISK_ENGINE_WORDS - 1 &&
	       (n = read(ready, why + len, DISK_ENGINE_WORDS - 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
		if (n > 0 && memchr(why, '\0', len))
			break;
	}
	why[len] = '\0';
	if (!len)
		snprintf(why, DISK_ENGINE_WORDS, "its keeper died");
	return why[0] || !len ? -EIO : 0;
}

static int start_keeper(struct keeper *k, char why[DISK_ENGINE_WORDS])
{
	int ready[2];

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) /* nobody's child: whoever started it may be gone long before */
			keeper_process(k, ready[1]);
		_exit(0);
	}
	io_close(&ready[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	int err = pid < 0 ? -errno : await_ready(ready[0], why);
	io_close(&ready[0]);
	return err;
}

int disk_engine_start(const struct cli *cli, const char *vm, const struct disk_spec *spec,
		      struct vmm_disk *disk, char why[DISK_ENGINE_WORDS])
{
	const char *base = strrchr(disk->file.name, '/');
	char path[CLI_PATH];
	struct keeper k = {.image = disk->file.name,
			   .spec = spec,
			   .queues = disk->queues,
			   .socket = path,
			   .listener = -1,
			   .pid = -1,
			   .pidfd = -1,
			   .words = -1,
			   .monitor = -1};
	int life[2] = {-1, -1};
	struct stat st;

	why[0] = '\0';
	snprintf(k.subject, sizeof(k.subject), "disk %.60s", base ? base + 1 : disk->file.name);
	k.block_device = stat(disk->file.name, &st) == 0 && S_ISBLK(st.st_mode);
	int err = vm_path(cli, vm, VM_LOG, k.log);
	if (!err)
		err = make_socket(cli, vm, path, &k.listener);
	if (!err && pipe2(life, O_CLOEXEC) < 0)
		err = -errno;
	k.life = life[0];
	if (!err)
		err = start_keeper(&k, why);
	if (!err)
		disk->socket = strdup(path);
	if (err && !why[0])
		snprintf(why, DISK_ENGINE_WORDS, "%s", strerror(-err));
	io_close(&k.listener);
	io_close(&life[0]);
	if (err)
		io_close(&life[1]);
	disk->life_fd = life[1];
	return err;
}

/* ---- the end ---- */

static bool any_left(const struct cli *cli, const char *vm, bool remove)
{
	char path[CLI_PATH], file[32];
	bool left = false;

	for (unsigned i = 0; i < VMM_DISKS_MAX + 4; i++) {
		snprintf(file, sizeof(file), SOCKET, i);
		if (vm_path(cli, vm, file, path) || access(path, F_OK) < 0)
			continue;
		left = true;
		if (remove)
			unlink(path);
	}
	return left;
}

void disk_engine_wait(const struct cli *cli, const char *vm)
{
	const struct timespec tick = {.tv_nsec = 10 * 1000000L};
	int64_t deadline = now_ms() + WAIT_MS;

	while (any_left(cli, vm, false)) {
		if (now_ms() > deadline) { /* their keepers were killed */
			any_left(cli, vm, true);
			return;
		}
		nanosleep(&tick, NULL);
	}
}
