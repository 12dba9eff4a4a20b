/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A VMM that is no longer ours: what a guest could try that runs its own code there, each in a
 * fresh process that has entered the sandbox as sluice-vmm does. Every row is one attempt, and must
 * be refused: by the end of the process, or because what it wants is not there. docs/threats.md
 * names the rows.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/rpc.h"
#include "base/util.h"
#include "cli/sandbox.h"

#define NOBODY	64123	   /* a user of nobody's */
#define MEMLOCK (64 << 10) /* less than anybody has */

/* How an attempt ended. */
enum outcome { DONE, REFUSED, KILLED };

struct attempt {
	const char *what;
	enum sandbox_kind kind;
	enum outcome want;
	const char *call; /* that is reported, with KILLED */
	/* 0 when it has been done, -1 with errno when not. */
	long (*try)(void);
};

/* What stands outside, for the attempts to reach for: another VM's control socket, and a file. */
#define OTHER_SOCKET "/tmp/sluice-sandbox-test.sock"
#define OTHER_FILE   "/tmp/sluice-sandbox-test.key"

/* ---- what is tried ---- */

static long open_read(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC);
}

static long read_passwd(void)
{
	return open_read("/etc/passwd");
}

static long read_key(void)
{
	return open_read(OTHER_FILE);
}

static long read_upwards(void)
{
	return open_read("/../../../../etc/shadow");
}

static long read_memory_of_init(void)
{
	return open_read("/proc/1/mem");
}

static long open_kvm(void)
{
	return open_read("/dev/kvm");
}

static long open_vfio(void)
{
	return open_read("/dev/vfio/vfio");
}

static long read_network(void)
{
	return open_read("/sys/class/net");
}

static long open_to_write(void)
{
	return open("/sys/kernel/mm/ksm/run", O_WRONLY | O_CLOEXEC);
}

static long make_file(void)
{
	return open("/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long openat2_file(void)
{
	const uint64_t how[3] = {O_RDONLY};

	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how));
}

static long unix_socket(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = OTHER_SOCKET};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd < 0 ? fd : connect(fd, (struct sockaddr *)&to, sizeof(to));
}

static long internet_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long raw_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long internet_pair(void)
{
	int fds[2];

	return socketpair(AF_INET, SOCK_STREAM, 0, fds);
}

static long trace_parent(void)
{
	return ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static long kill_all(void)
{
	return kill(-1, 0);
}

static long kill_init_thread(void)
{
	return syscall(SYS_tgkill, 2, 2, 0);
}

static long read_other_process(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {&byte, 1};

	return (long)syscall(SYS_process_vm_readv, 1, &here, 1, &there, 1, 0);
}

static long take_descriptor(void)
{
	return syscall(SYS_pidfd_open, 1, 0);
}

static long run_shell(void)
{
	return execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
}

static long fork_process(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long fork_by_clone3(void)
{
	uint64_t args[8] = {[4] = SIGCHLD};
	long pid = syscall(SYS_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return pid;
}

static long user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long thread_namespace(void)
{
	return syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWUSER, 0, 0, 0,
		       0);
}

static long mount_proc(void)
{
	return mount("proc", "/", "proc", 0, NULL);
}

static long new_mount(void)
{
	return syscall(SYS_fsopen, "proc", 0);
}

static long change_root(void)
{
	return chroot("/sys");
}

static long become_root(void)
{
	return setresuid(0, 0, 0);
}

static long load_module(void)
{
	return syscall(SYS_finit_module, 0, "", 0);
}

static long load_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long make_key(void)
{
	return syscall(SYS_add_key, "user", "k", "x", 1, -3);
}

static long watch_faults(void)
{
	return syscall(SYS_userfaultfd, 0);
}

static long count_events(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long reboot_host(void)
{
	return reboot(RB_DISABLE_CAD);
}

static long raise_limit(void)
{
	const struct rlimit limit = {1, 1};

	return setrlimit(RLIMIT_CORE, &limit);
}

static long run_new_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : 0;
}

static long silence_report(void)
{
	return signal(SIGSYS, SIG_IGN) == SIG_ERR ? -1 : 0;
}

static long accept_any(void)
{
	return accept4(0, NULL, NULL, 0);
}

static long old_call(void) /* of the 32-bit table: 5 is open there */
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(5), "b"(0), "c"(0), "d"(0) : "memory");
	return result;
}

#define FROM_CPU(what, call, try)                    \
	{                                            \
		what, SANDBOX_CPU, KILLED, call, try \
	}
#define FROM_LOOP(what, outcome, call, try)            \
	{                                              \
		what, SANDBOX_LOOP, outcome, call, try \
	}

static const struct attempt attempts[] = {
	FROM_LOOP("opens a file of the host's", REFUSED, NULL, read_passwd),
	FROM_LOOP("opens a key", REFUSED, NULL, read_key),
	FROM_LOOP("climbs out of its root", REFUSED, NULL, read_upwards),
	FROM_LOOP("reads another process's memory file", REFUSED, NULL, read_memory_of_init),
	FROM_LOOP("opens /dev/kvm", REFUSED, NULL, open_kvm),
	FROM_LOOP("opens VFIO", REFUSED, NULL, open_vfio),
	FROM_LOOP("looks at the host's network", REFUSED, NULL, read_network),
	FROM_LOOP("opens something to write", KILLED, "openat", open_to_write),
	FROM_LOOP("makes a file", KILLED, "openat", make_file),
	FROM_LOOP("opens with openat2", KILLED, "openat2", openat2_file),
	FROM_CPU("opens a file, from a CPU's thread", "openat", read_passwd),
	FROM_CPU("opens the machine's figures, from a CPU's thread", "openat", read_network),
	FROM_LOOP("calls another VM's control socket", KILLED, "socket", unix_socket),
	FROM_LOOP("makes an internet socket", KILLED, "socket", internet_socket),
	FROM_LOOP("makes a packet socket", KILLED, "socket", raw_socket),
	FROM_LOOP("makes another pair than of its own", KILLED, "socketpair", internet_pair),
	FROM_LOOP("traces a process", KILLED, "ptrace", trace_parent),
	FROM_LOOP("signals processes", KILLED, "kill", kill_all),
	FROM_LOOP("signals another process's thread", KILLED, "tgkill", kill_init_thread),
	FROM_LOOP("reads another process's memory", KILLED, "process_vm_readv", read_other_process),
	FROM_LOOP("takes hold of a process", KILLED, "pidfd_open", take_descriptor),
	FROM_LOOP("runs a program", KILLED, "execve", run_shell),
	FROM_LOOP("makes a process", KILLED, "clone", fork_process),
	FROM_LOOP("makes a process by clone3", REFUSED, NULL, fork_by_clone3),
	FROM_LOOP("makes a user namespace", KILLED, "unshare", user_namespace),
	FROM_LOOP("makes one for a thread", KILLED, "clone", thread_namespace),
	FROM_LOOP("mounts", KILLED, "mount", mount_proc),
	FROM_LOOP("mounts the new way", KILLED, "fsopen", new_mount),
	FROM_LOOP("changes its root", KILLED, "chroot", change_root),
	FROM_LOOP("becomes root again", KILLED, "setresuid", become_root),
	FROM_LOOP("loads a module", KILLED, "finit_module", load_module),
	FROM_LOOP("loads BPF", KILLED, "bpf", load_bpf),
	FROM_LOOP("makes a key", KILLED, "add_key", make_key),
	FROM_LOOP("watches page faults", KILLED, "userfaultfd", watch_faults),
	FROM_LOOP("counts events", KILLED, "perf_event_open", count_events),
	FROM_LOOP("reboots the host", KILLED, "reboot", reboot_host),
	FROM_LOOP("raises a limit", KILLED, "prlimit64", raise_limit),
	FROM_LOOP("runs code that it wrote", KILLED, "mmap", run_new_code),
	FROM_LOOP("silences the report", KILLED, "rt_sigaction", silence_report),
	FROM_CPU("accepts a connection, from a CPU's thread", "accept4", accept_any),
	FROM_CPU("makes a thread, from a CPU's thread", "clone", thread_namespace),
};

/* ---- one attempt ---- */

static void attempt_inside(const struct attempt *a, int report)
{
	const struct sandbox_config config = {.name = "test",
					      .uid = NOBODY,
					      .gid = NOBODY,
					      .memlock = MEMLOCK,
					      .writable_fd = -1,
					      .report_fd = report};

	if (sandbox_enter(&config))
		_exit(100);
	sandbox_thread(a->kind);
	_exit(a->try() < 0 ? REFUSED : DONE);
}

/* As vm_spawn makes the VMM: with process IDs of its own. */
static pid_t start(const struct attempt *a, int *report)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	fflush(stdout);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	assert_true(pid >= 0);
	if (pid == 0)
		attempt_inside(a, fds[1]);
	close(fds[1]);
	*report = fds[0];
	return pid;
}

static void check(const struct attempt *a)
{
	static const char *const words[] = {"was done", "was refused", "ended it"};
	int report, status;
	char line[128] = "";

	pid_t pid = start(a, &report);
	ssize_t n = read(report, line, sizeof(line) - 1);
	line[MAX(n, 0)] = '\0';
	close(report);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("%s: killed by signal %d", a->what, WTERMSIG(status));
	int code = WEXITSTATUS(status) == SANDBOX_STATUS ? KILLED : WEXITSTATUS(status);
	if (code > KILLED)
		fail_msg("%s: the sandbox was not entered", a->what);
	if (code != (int)a->want)
		fail_msg("%s: %s: %s", a->what, words[code], line);
	if (a->want != KILLED)
		return;
	int number = -1;
	assert_int_equal(sscanf(line, SANDBOX_REPORT " %d", &number), 1);
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	assert_non_null(name);
	if (strcmp(name, a->call) != 0)
		fail_msg("%s: it was %s that was refused", a->what, name);
	free(name);
}

static void need_root(void)
{
	if (!sandbox_possible()) {
		print_message("ok - sandbox # SKIP a sanitizer's build has no sandbox\n");
		skip();
	}
	if (geteuid() != 0) {
		print_message("ok - sandbox # SKIP namespaces and another user need root\n");
		skip();
	}
}

static void test_attempts(void **state)
{
	(void)state;
	need_root();
	int other = rpc_listen(OTHER_SOCKET);
	assert_true(other >= 0);
	assert_int_equal(chmod(OTHER_SOCKET, 0777), 0);
	int key = open(OTHER_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(key >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		check(&attempts[i]);
	close(key);
	close(other);
	unlink(OTHER_FILE);
	unlink(OTHER_SOCKET);
}

/* A call of the other table of numbers ends the process, however it is numbered. */
static void test_other_table(void **state)
{
	const struct attempt a = {"makes a 32-bit call", SANDBOX_CPU, KILLED, NULL, old_call};
	int report, status;

	(void)state;
	need_root();
	pid_t pid = start(&a, &report);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(report);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == SANDBOX_STATUS);
}

/* ---- what must go on working ---- */

static long nothing_left(void)
{
	char text[4096];
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	struct rlimit limit;

	if (geteuid() != NOBODY || getegid() != NOBODY || getpid() != 1)
		return -1;
	if (read(fd, text, sizeof(text)) < 100 || close(fd) < 0)
		return -1;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_max > MEMLOCK)
		return -1;
	if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max != 0)
		return -1;
	return open_read("/sys/devices/system/cpu/online");
}

static void *in_thread(void *opaque)
{
	sandbox_thread(SANDBOX_CPU);
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED && munmap(page, 4096) == 0)
		*(int *)opaque = 1;
	return NULL;
}

static long make_threads(void)
{
	pthread_t thread;
	int done = 0;

	if (pthread_create(&thread, NULL, in_thread, &done) || pthread_join(thread, NULL))
		return -1;
	int fd = memfd_create("more", MFD_CLOEXEC); /* this one may still */
	return done && fd >= 0 && ftruncate(fd, 4096) == 0 ? 0 : -1;
}

static void test_allowed(void **state)
{
	static const struct attempt good[] = {
		FROM_LOOP("reads the machine's figures", DONE, NULL, nothing_left),
		FROM_LOOP("makes threads, which are narrower", DONE, NULL, make_threads),
	};

	(void)state;
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		check(&good[i]);
}

/* Without root: no namespaces, and still no other calls. */
static void test_without_root(void **state)
{
	int fds[2], status;
	char line[64] = "";

	(void)state;
	if (!sandbox_possible()) {
		print_message("ok - sandbox # SKIP a sanitizer's build has no sandbox\n");
		skip();
	}
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct sandbox_config config = {
			.name = "test", .writable_fd = -1, .report_fd = fds[1]};
		if (sandbox_enter(&config))
			_exit(100);
		sandbox_thread(SANDBOX_IO);
		internet_socket();
		_exit(0);
	}
	close(fds[1]);
	assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SANDBOX_STATUS);
	assert_memory_equal(line, SANDBOX_REPORT " ", sizeof(SANDBOX_REPORT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_other_table),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_without_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
