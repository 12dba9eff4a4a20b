/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_supervise: see vm_supervise.h. */
#include "cli/vm_supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/console.h"
#include "cli/sandbox.h"
#include "cli/terminal.h"
#include "cli/vm_dial.h"
#include "cli/vm_dir.h"
#include "cli/vm_plug.h"
#include "cli/vmm_report.h"

#define FORCE_GRACE_MS 5000 /* from "quit" to SIGKILL */
#define SAME_WISH_MS   300  /* timeout(1) and init systems signal a process and its group */
#define PROGRESS_MS    500
#define KEY_INTERRUPT  0x03 /* Ctrl-C */
#define KEY_PREFIX     0x1d /* Ctrl-] */

struct supervisor {
	struct cli *cli;
	const struct vm_request *request;
	struct vm_process process;
	struct loop *loop;
	struct loop_source *report_source, *progress, *dial_source;
	int signals, ready;
	bool leftovers; /* of devices that the guest let go of may be in the ledger */
	bool running;	/* the guest has started, at least once */
	bool killed;	/* by SIGKILL of ours */
	unsigned wishes;
	int64_t last_signal; /* milliseconds, CLOCK_MONOTONIC */
	char end[32];	     /* of "end WORD"; "" until then */
	uint32_t status;     /* of "end status:N" */
	char line[VMM_REPORT_LINE];
	size_t line_len;
	long log_shown;
	uint64_t memory; /* being touched, for the progress line */
	bool prefix;	 /* Ctrl-] was typed */
	struct terminal terminal;
	struct console *console;
};

/* ---- words for the user ---- */

/* In the background, what the supervisor says goes into the VM's own log. */
static bool is_stderr(int fd)
{
	struct stat file, err;

	return fstat(fd, &file) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
	       file.st_dev == err.st_dev && file.st_ino == err.st_ino;
}

void vm_show_log(const struct cli *cli, const char *name, long *offset)
{
	char path[CLI_PATH], bytes[1024];
	ssize_t n;

	if (vm_path(cli, name, VM_LOG, path))
		return;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && is_stderr(fd)) /* a copy would never come to its end */
		io_close(&fd);
	while (fd >= 0 && (n = pread(fd, bytes, sizeof(bytes), *offset)) > 0) {
		io_write_full(STDERR_FILENO, bytes, (size_t)n);
		*offset += n;
	}
	io_close(&fd);
}

static void say(const struct supervisor *s, const char *text)
{
	fprintf(stderr, "sluice: %s: %s\n", s->request->subject, text);
}

static void clear_progress(struct supervisor *s)
{
	if (s->progress && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	loop_remove(s->progress);
	s->progress = NULL;
}

/* How much of the VMM's memory is there: the second number of /proc/PID/statm, in pages. */
static uint64_t resident(pid_t pid)
{
	char path[32];
	unsigned long long size, pages = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *in = fopen(path, "re");
	if (in && fscanf(in, "%llu %llu", &size, &pages) != 2)
		pages = 0;
	if (in)
		fclose(in);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void show_progress(void *opaque, uint32_t events)
{
	struct supervisor *s = opaque;
	char done[PARSE_SIZE_TEXT], all[PARSE_SIZE_TEXT];
	uint64_t there = resident(s->process.pid);

	(void)events;
	s->progress = NULL; /* the timer has removed itself */
	fprintf(stderr, "\r\033[Ksluice: %s: preparing memory: %s of %s", s->request->subject,
		format_size(MIN(there, s->memory), done), format_size(s->memory, all));
	loop_timer(s->loop, PROGRESS_MS, show_progress, s, &s->progress);
}

/* ---- stopping ---- */

static void kill_now(void *opaque, uint32_t events)
{
	struct supervisor *s = opaque;

	(void)events;
	s->killed = true;
	kill(s->process.pid, SIGKILL);
}

static void force(struct supervisor *s)
{
	char error[RPC_ERROR_TEXT];
	struct loop_source *timer;

	if (!s->running) {
		kill_now(s, 0); /* there is no guest yet that could lose anything */
		return;
	}
	vm_try(s->cli, s->request->name, "quit", NULL, error);
	if (loop_timer(s->loop, FORCE_GRACE_MS, kill_now, s, &timer))
		kill_now(s, 0);
}

static void wish_to_stop(struct supervisor *s)
{
	char error[RPC_ERROR_TEXT];

	if (!s->running || ++s->wishes > 1) {
		say(s, s->running ? "stopping it where it stands" : "start given up");
		force(s);
		return;
	}
	say(s, "power button pressed; once more stops it where it stands");
	if (vm_try(s->cli, s->request->name, "power-button", NULL, error)) {
		say(s, error);
		s->wishes = 0;
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void signal_event(void *opaque, uint32_t events)
{
	struct supervisor *s = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	int64_t now = now_ms();
	if (now - s->last_signal >= SAME_WISH_MS)
		wish_to_stop(s);
	s->last_signal = now;
}

/* Behind Ctrl-]: c, q, or itself. */
static bool prefixed_key(struct supervisor *s, uint8_t byte)
{
	s->prefix = false;
	if (byte == 'c')
		console_type(s->console, KEY_INTERRUPT);
	else if (byte == 'q')
		force(s);
	else if (byte == KEY_PREFIX)
		return true;
	else
		say(s, "after Ctrl-]: c sends Ctrl-C, q stops the guest, Ctrl-] sends itself");
	return false;
}

static bool key(void *opaque, uint8_t byte)
{
	struct supervisor *s = opaque;

	if (!s->terminal.raw)
		return true;
	if (s->prefix)
		return prefixed_key(s, byte);
	s->prefix = byte == KEY_PREFIX;
	if (byte == KEY_INTERRUPT)
		wish_to_stop(s);
	return byte != KEY_PREFIX && byte != KEY_INTERRUPT;
}

/* ---- what the VMM reports ---- */

static void go_background(struct supervisor *s)
{
	char path[CLI_PATH], byte = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = -1;

	if (s->cli->json) {
		json_t *json = json_pack("{s:s,s:i}", "name", s->request->name, "pid",
					 (int)s->process.pid);
		cli_print_json(stdout, json);
		json_decref(json);
	} else {
		printf("%s: running (pid %d)\n", s->request->name, (int)s->process.pid);
	}
	fflush(stdout);
	if (!vm_path(s->cli, s->request->name, VM_LOG, path))
		log = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	setsid();
	dup2(null, STDIN_FILENO);
	dup2(log >= 0 ? log : null, STDOUT_FILENO);
	dup2(log >= 0 ? log : null, STDERR_FILENO);
	io_close(&null);
	io_close(&log);
	if (chdir("/") < 0) /* so that no file system is kept busy; staying put does no harm */
		log_debug(s->request->subject, "stays in its folder: %m");
	io_write_full(s->ready, &byte, 1);
	io_close(&s->ready);
}

static void first_run(struct supervisor *s)
{
	s->running = true;
	clear_progress(s);
	vm_show_log(s->cli, s->request->name, &s->log_shown);
	if (s->ready >= 0)
		go_background(s);
}

/* The command that asked for a device gives it back itself, unless it was killed. */
static void tidy(struct supervisor *s)
{
	s->leftovers = s->leftovers && vm_plug_tidy(s->cli, s->request->name);
	cli_sriov_close(s->cli);
}

/* "NUMBER THREAD" */
static void tell_refusal(struct supervisor *s, const char *text)
{
	int number = -1;
	char thread[32] = "?";

	sscanf(text, "%9d %31s", &number, thread);
	char *call = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	log_error(s->request->subject,
		  "sluice-vmm was ended: its thread %s made the system call %s, which its sandbox "
		  "does not have; a guest may have broken out, or this is a bug of ours: please "
		  "report it; --no-sandbox does without",
		  thread, call ? call : text);
	free(call);
	snprintf(s->end, sizeof(s->end), "sandbox");
}

static void take_report(struct supervisor *s, const char *line)
{
	if (!strncmp(line, VMM_REPORT_MEMORY " ", strlen(VMM_REPORT_MEMORY " "))) {
		parse_u64(line + strlen(VMM_REPORT_MEMORY " "), 0, UINT64_MAX, &s->memory);
		if (!s->running && isatty(STDERR_FILENO) && !s->progress)
			loop_timer(s->loop, PROGRESS_MS, show_progress, s, &s->progress);
	} else if (!strcmp(line, VMM_REPORT_RUNNING)) {
		s->wishes = 0;
		if (!s->running)
			first_run(s);
		else if (s->leftovers)
			tidy(s);
	} else if (!strncmp(line, VMM_REPORT_EJECTED " ", strlen(VMM_REPORT_EJECTED " "))) {
		s->leftovers = true;
		tidy(s);
	} else if (!strncmp(line, VMM_REPORT_END_STATUS, strlen(VMM_REPORT_END_STATUS)) &&
		   !parse_u32(line + strlen(VMM_REPORT_END_STATUS), 0, UINT8_MAX, &s->status)) {
		snprintf(s->end, sizeof(s->end), "status");
	} else if (!strncmp(line, VMM_REPORT_END " ", strlen(VMM_REPORT_END " "))) {
		snprintf(s->end, sizeof(s->end), "%s", line + strlen(VMM_REPORT_END " "));
	} else if (!strncmp(line, SANDBOX_REPORT " ", strlen(SANDBOX_REPORT " "))) {
		tell_refusal(s, line + strlen(SANDBOX_REPORT " "));
	} else if (!strcmp(line, VMM_REPORT_FAILED)) {
		snprintf(s->end, sizeof(s->end), "failed");
	} else if (strcmp(line, VMM_REPORT_RESET) != 0) {
		log_warn(s->request->subject, "sluice-vmm says '%s', which is not understood",
			 line);
	}
}

/* Reads what is there; false at the end. */
static bool read_report(struct supervisor *s)
{
	char bytes[VMM_REPORT_LINE];
	ssize_t n = read(s->process.report, bytes, sizeof(bytes));

	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			s->line[s->line_len] = '\0';
			s->line_len = 0;
			take_report(s, s->line);
		} else if (s->line_len < sizeof(s->line) - 1) {
			s->line[s->line_len++] = bytes[i];
		}
	}
	return n > 0;
}

static void report_event(void *opaque, uint32_t events)
{
	struct supervisor *s = opaque;

	(void)events;
	if (!read_report(s)) {
		loop_remove(s->report_source);
		s->report_source = NULL;
	}
}

static void ended_event(void *opaque, uint32_t events)
{
	struct supervisor *s = opaque;

	(void)events;
	loop_stop(s->loop, 0);
}

/* ---- the end ---- */

int vm_give_back(struct cli *cli, const char *name)
{
	struct sriov *sriov = cli_sriov(cli);
	int err = sriov ? sriov_release_all(sriov, name) : -EIO;

	if (!err)
		vm_dir_remove(cli, name);
	return err;
}

/* Kept beside the log until the VM is forgotten or started again. */
static void keep_result(struct supervisor *s, const char *end)
{
	json_t *result = json_pack("{s:s,s:I}", "end", end, "at", (json_int_t)time(NULL));

	vm_dir_silence(s->cli, s->request->name);
	vm_write_json(s->cli, s->request->name, VM_RESULT, result);
	json_decref(result);
}

/* Any thread of sluice-vmm that dies takes all of it along. We live, so nothing stays claimed. */
static int died(struct supervisor *s, int status)
{
	struct sriov *sriov = cli_sriov(s->cli);
	int err = sriov ? sriov_release_all(sriov, s->request->name) : -EIO;
	char end[64];

	if (WIFSIGNALED(status))
		snprintf(end, sizeof(end), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(end, sizeof(end), "exit status %d", WEXITSTATUS(status));
	log_error(
		s->request->subject,
		"crashed: sluice-vmm died (%s)%s; `sluice vm stop %s` cleans up, and so does its next "
		"start",
		end, err ? ", and not all of its devices were given back" : "", s->request->name);
	keep_result(s, "died");
	return vm_failed(s->request);
}

/* What enum hv_end's names mean to the user. `well`: nothing needs to be kept for a look. */
static const struct ending {
	const char *end, *text;
	bool well;
} endings[] = {
	{"poweroff", "ended: poweroff", true},
	{"reset", "ended: reboot", true},
	{"killed", "ended: killed, from outside", true},
	{"saved", "suspended: saved into a file; vm restore goes on with it", false},
	{"panic", "ended: panic: the guest's kernel gave up", false},
	{"crash", "ended: crash: a CPU of the guest could not go on", false},
	{"triple-fault", "ended: crash: the guest triple-faulted", false},
	{"status", "ended: by the exit port", true},
	{"sandbox", "ended: a system call was refused", false},
	{"device-failure", "ended: a device failed", false},
	{"failed", "ended: not built again after a reboot", false},
};

/* Zero where the guest ended as it was meant to. */
static int exit_code(const struct supervisor *s, const char *end)
{
	bool reboot_is_exit = !s->request->restart && !strcmp(end, "reset");

	if (!strcmp(end, "status"))
		return (int)s->status;
	return reboot_is_exit || !strcmp(end, "poweroff") || !strcmp(end, "saved")
		       ? CLI_OK
		       : vm_failed(s->request);
}

static int finish(struct supervisor *s, const char *end)
{
	const struct ending *ending = endings;
	struct sriov *sriov = cli_sriov(s->cli);

	while (ending < endings + ARRAY_SIZE(endings) - 1 && strcmp(ending->end, end) != 0)
		ending++;
	int err = sriov ? sriov_release_all(sriov, s->request->name) : -EIO;
	if (ending->well && !err)
		vm_dir_remove(s->cli, s->request->name);
	else
		keep_result(s, ending->end);
	say(s, ending->text);
	return err ? vm_failed(s->request) : exit_code(s, end);
}

static int conclude(struct supervisor *s)
{
	int status = 0;

	while (read_report(s))
		;
	if (s->console)
		console_drain(s->console);
	terminal_restore(&s->terminal);
	clear_progress(s);
	vm_show_log(s->cli, s->request->name, &s->log_shown);
	waitpid(s->process.pid, &status, 0);
	if (!s->running) { /* the reason stood in the log */
		vm_give_back(s->cli, s->request->name);
		return vm_failed(s->request);
	}
	if (s->end[0])
		return finish(s, s->end);
	return s->killed ? finish(s, "killed") : died(s, status);
}

/* ---- connections that it asks for ---- */

static void dial_event(void *opaque, uint32_t events)
{
	struct supervisor *s = opaque;

	(void)events;
	if (vm_dial_serve(s->cli, s->request->name, s->process.dial) < 0) {
		loop_remove(s->dial_source);
		s->dial_source = NULL;
	}
}

/* ---- the whole ---- */

int vm_supervise_prepare(const struct vm_request *request, int *signal_fd)
{
	static const int wishes[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
		sigaddset(&set, wishes[i]);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
	    (*signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return log_fail(-errno, request->subject, "signals not blocked: %m");
	return 0;
}

static int open_console(struct supervisor *s)
{
	struct console_config config = {.loop = s->loop,
					.sock = s->process.console,
					.in = STDIN_FILENO,
					.out = STDOUT_FILENO,
					.key = key,
					.opaque = s};

	s->process.console = -1; /* taken over */
	return console_open(&config, &s->console);
}

static int watch(struct supervisor *s)
{
	struct loop_source *source;
	int err = loop_create(&s->loop);

	if (!err)
		err = loop_add(s->loop, s->process.pidfd, EPOLLIN, ended_event, s, &source);
	if (!err)
		err = loop_add(s->loop, s->signals, EPOLLIN, signal_event, s, &source);
	if (!err)
		err = loop_add(s->loop, s->process.report, EPOLLIN, report_event, s,
			       &s->report_source);
	if (!err)
		err = loop_add(s->loop, s->process.dial, EPOLLIN, dial_event, s, &s->dial_source);
	if (!err && s->process.console >= 0) {
		terminal_raw(&s->terminal, STDIN_FILENO);
		err = open_console(s);
	}
	if (!err)
		err = loop_run(s->loop);
	if (err) {
		log_error(s->request->subject, "not watched: %s", strerror(-err));
		kill_now(s, 0);
	}
	return err;
}

int vm_supervise(struct cli *cli, const struct vm_request *request, struct vm_process *process,
		 int signal_fd, int ready_fd)
{
	struct supervisor s = {.cli = cli,
			       .request = request,
			       .process = *process,
			       .signals = signal_fd,
			       .ready = ready_fd};
	int status;

	cli_sriov_close(cli); /* it may take days until it is needed again */
	watch(&s);
	status = conclude(&s);
	console_close(s.console);
	loop_destroy(s.loop);
	io_close(&s.process.pidfd);
	io_close(&s.process.report);
	io_close(&s.process.dial);
	io_close(&s.process.console);
	io_close(&s.signals);
	io_close(&s.ready);
	return status;
}
