/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk_engine: its keeper, with a shell script for an engine: it starts, dies, comes back, and goes
 * when the disk goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/disk_engine.h"

struct rig {
	char dir[64], script[96], pid_file[96], log[96], args[96];
	struct cli cli;
	struct disk_spec spec;
	struct vmm_disk disk;
	char why[DISK_ENGINE_WORDS];
};

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
	io_close(&fd);
	chmod(path, mode);
}

/* `body` runs after the engine has written down who it is; "greet" makes it known. */
static struct rig *set_up(const char *body)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char text[1024], path[96];

	strcpy(rig->dir, "/tmp/sluice-engine-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(path, sizeof(path), "%s/vm", rig->dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/vm/web", rig->dir);
	mkdir(path, 0700);
	snprintf(rig->script, sizeof(rig->script), "%s/engine", rig->dir);
	snprintf(rig->pid_file, sizeof(rig->pid_file), "%s/pid", rig->dir);
	snprintf(rig->args, sizeof(rig->args), "%s/args", rig->dir);
	snprintf(rig->log, sizeof(rig->log), "%s/vm/web/vmm.log", rig->dir);
	snprintf(
		text, sizeof(text),
		"#!/bin/bash\n"
		"echo \"$*\" >%s\n"
		"greet() { for a; do case $a in socket,id=ready,fd=*) echo '{}' >&${a##*=};; esac; "
		"done; echo $$ >%s.new; mv %s.new %s; }\n"
		"%s\n",
		rig->args, rig->pid_file, rig->pid_file, rig->pid_file, body);
	put(rig->script, text, 0755);
	put(rig->log, "", 0600);
	setenv("SLUICE_STORAGE_DAEMON", rig->script, 1);
	rig->cli.run_dir = rig->dir;
	strcpy(rig->spec.format, "qcow2");
	vmm_disk_init(&rig->disk);
	rig->disk.file.name = strdup("/srv/a,b.qcow2");
	rig->disk.queues = 2;
	return rig;
}

static int start(struct rig *rig)
{
	return disk_engine_start(&rig->cli, "web", &rig->spec, &rig->disk, rig->why);
}

static bool contains(const char *path, const char *text)
{
	size_t len;
	char *all = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool found = fd >= 0 && !io_read_file(fd, 1 << 16, &all, &len) && strstr(all, text);

	io_close(&fd);
	free(all);
	return found;
}

/* Of the engine that runs, another one than `before`; 0: none within ten seconds. */
static pid_t engine(const struct rig *rig, pid_t before)
{
	int pid = 0;

	for (unsigned i = 0; i < 1000 && (!pid || pid == before); i++) {
		FILE *in = fopen(rig->pid_file, "re");

		if (in && fscanf(in, "%d", &pid) != 1)
			pid = 0;
		if (in)
			fclose(in);
		usleep(10000);
	}
	return pid == before ? 0 : pid;
}

static bool gone(pid_t pid)
{
	for (unsigned i = 0; i < 1000 && kill(pid, 0) == 0; i++)
		usleep(10000);
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static void finish(struct rig *rig)
{
	char command[128];

	io_close(&rig->disk.life_fd);
	disk_engine_wait(&rig->cli, "web");
	if (rig->disk.socket)
		assert_int_equal(access(rig->disk.socket, F_OK), -1);
	vmm_disk_finish(&rig->disk);
	snprintf(command, sizeof(command), "rm -r %s", rig->dir);
	assert_int_equal(system(command), 0);
	free(rig);
}

static bool connects(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	bool done = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
	io_close(&fd);
	return done;
}

static void test_lives_with_the_disk(void **state)
{
	struct rig *rig = set_up("greet \"$@\"; sleep 1000 & trap 'kill $!; exit' TERM; wait");
	(void)state;

	rig->spec.iops = 100;
	assert_int_equal(start(rig), 0);
	assert_true(connects(rig->disk.socket));
	pid_t pid = engine(rig, 0);
	assert_true(pid > 0);
	assert_true(contains(rig->args, "filename=/srv/a,,b.qcow2"));
	assert_true(contains(rig->args, "driver=qcow2,node-name=format"));
	assert_true(contains(rig->args, "x-iops-total=100"));
	assert_true(contains(rig->args, "node-name=limited,addr.type=fd"));
	io_close(&rig->disk.life_fd);
	assert_true(gone(pid));
	finish(rig);
}

static void test_is_started_again(void **state)
{
	struct rig *rig = set_up("greet \"$@\"; sleep 1000 & trap 'kill $!; exit' TERM; wait");
	(void)state;

	assert_int_equal(start(rig), 0);
	pid_t first = engine(rig, 0);
	kill(first, SIGKILL);
	pid_t second = engine(rig, first);
	assert_true(second > 0);
	assert_true(contains(rig->log,
			     "sluice: disk a,b.qcow2: its engine (qemu-storage-daemon) was "
			     "killed by signal 9; started again"));
	assert_true(connects(rig->disk.socket));
	finish(rig);
	assert_true(gone(second));
}

static void test_two(void **state)
{
	struct rig *rig = set_up("greet \"$@\"; exec sleep 1000");
	struct vmm_disk other;
	(void)state;

	vmm_disk_init(&other);
	other.file.name = strdup("/srv/c.qcow2");
	other.queues = 1;
	assert_int_equal(start(rig), 0);
	pid_t first = engine(rig, 0);
	assert_int_equal(disk_engine_start(&rig->cli, "web", &rig->spec, &other, rig->why), 0);
	pid_t second = engine(rig, first);
	assert_string_not_equal(rig->disk.socket, other.socket);
	/* the second holds nothing of the first */
	io_close(&rig->disk.life_fd);
	assert_true(gone(first));
	assert_int_equal(kill(second, 0), 0);
	io_close(&other.life_fd);
	assert_true(gone(second));
	vmm_disk_finish(&other);
	finish(rig);
}

/* One whose keeper is killed goes too. */
static void test_keeper_killed(void **state)
{
	struct rig *rig = set_up("greet \"$@\"; exec sleep 1000");
	char path[64];
	int parent = 0;
	(void)state;

	assert_int_equal(start(rig), 0);
	pid_t pid = engine(rig, 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *in = fopen(path, "re");
	assert_non_null(in);
	assert_int_equal(fscanf(in, "%*d %*s %*c %d", &parent), 1);
	fclose(in);
	assert_true(parent > 1);
	kill(parent, SIGKILL);
	assert_true(gone(pid));
	unlink(rig->disk.socket); /* which nobody is left to do */
	finish(rig);
}

static void test_refused(void **state)
{
	struct rig *rig =
		set_up("echo \"qemu-storage-daemon: --blockdev driver=qcow2,file=x: Image is "
		       "not in qcow2 format\" >&2; exit 1");
	(void)state;

	assert_int_equal(start(rig), -EIO);
	assert_string_equal(rig->why, "Image is not in qcow2 format");
	assert_int_equal(rig->disk.life_fd, -1);
	assert_null(rig->disk.socket);
	finish(rig);
	rig = set_up("exit 3");
	assert_int_equal(start(rig), -EIO);
	assert_string_equal(rig->why, "it ended without a word");
	finish(rig);
}

static void test_not_there(void **state)
{
	struct rig *rig = set_up("");
	(void)state;

	setenv("SLUICE_STORAGE_DAEMON", "/nowhere/qemu-storage-daemon", 1);
	assert_int_equal(start(rig), -EIO);
	assert_non_null(strstr(rig->why, "not started: No such file"));
	assert_non_null(strstr(rig->why, "install qemu-system-common"));
	finish(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives_with_the_disk),
		cmocka_unit_test(test_is_started_again),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_keeper_killed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
