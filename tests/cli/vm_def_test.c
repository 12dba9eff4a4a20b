/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_def: definitions are there as they were given, whole or not at all: a command that dies at any
 * of its steps leaves the old one or the new one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/vm_def.h"
#include "cli/vm_def_plug.h"
#include "cli/vm_request.h"

#define DIED 9

static char state_dir[] = "/tmp/sluice-vm-def-XXXXXX";
static struct cli cli = {.state_dir = state_dir,
			 .run_dir = state_dir,
			 .sysfs = "/sys",
			 .root = "/",
			 .fs = {.root = -1}};

/* ---- dying ---- */

static unsigned steps, dies_at; /* 0: it lives */

static void step(void)
{
	if (++steps == dies_at)
		_exit(DIED);
}

int __real_io_write_full(int fd, const void *buf, size_t len);
int __wrap_io_write_full(int fd, const void *buf, size_t len);
int __wrap_io_write_full(int fd, const void *buf, size_t len)
{
	step();
	if (steps + 1 == dies_at) /* in the middle of it */
		__real_io_write_full(fd, buf, len / 2);
	step();
	int err = __real_io_write_full(fd, buf, len);
	step();
	return err;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	step();
	return __real_fsync(fd);
}

int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	step();
	int err = __real_renameat(from_dir, from, to_dir, to);
	step();
	return err;
}

/* ---- helpers ---- */

static json_t *record(const char *kernel)
{
	return json_pack("{s:[o,s],s:s}", "args", json_sprintf("--kernel=%s", kernel), "--rng",
			 "cwd", "/");
}

static int store(const char *name, const char *kernel)
{
	json_t *json = record(kernel);
	int err = vm_def_store(&cli, name, json);

	json_decref(json);
	return err;
}

static void assert_kernel(const char *name, const char *kernel)
{
	json_t *json = vm_def_load(&cli, name), *wanted = record(kernel);

	assert_non_null(json);
	json_object_set_new(wanted, "version", json_integer(VM_DEF_VERSION));
	assert_true(json_equal(json, wanted));
	json_decref(wanted);
	json_decref(json);
}

static void write_text(const char *file, const char *text)
{
	char path[CLI_PATH];

	snprintf(path, sizeof(path), "%s/vm/%s", state_dir, file);
	FILE *out = fopen(path, "we");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

/* ---- tests ---- */

static void is_kept_and_forgotten(void **state)
{
	(void)state;
	assert_false(vm_def_known(&cli, "web"));
	assert_null(vm_def_load(&cli, "web"));
	assert_int_equal(store("web", "a"), 0);
	assert_int_equal(store("db", "b"), 0);
	assert_int_equal(store("web.json", "c"), 0);
	assert_kernel("web", "a");
	assert_int_equal(store("web", "d"), 0);
	assert_kernel("web", "d");
	assert_kernel("web.json", "c");
	write_text("notes", "");
	write_text(".left.json", "{");
	json_t *names = vm_def_names(&cli), *wanted = json_pack("[s,s,s]", "db", "web", "web.json");
	assert_true(json_equal(names, wanted));
	json_decref(names);
	json_decref(wanted);
	assert_int_equal(vm_def_forget(&cli, "web.json"), 0);
	assert_int_equal(vm_def_forget(&cli, "db"), 0);
	assert_int_equal(vm_def_forget(&cli, "web"), 0);
	assert_int_equal(vm_def_forget(&cli, "web"), -ENOENT);
	assert_false(vm_def_known(&cli, "web"));
}

static void names_stay_in_the_folder(void **state)
{
	(void)state;
	assert_int_equal(store("../web", "a"), -EINVAL);
	assert_int_equal(store(".web", "a"), -EINVAL);
	assert_null(vm_def_load(&cli, "../vm/web"));
	assert_int_equal(vm_def_forget(&cli, "../web"), -ENOENT);
	assert_false(vm_def_known(&cli, ".lock"));
}

static void what_others_put_there_stays(void **state)
{
	json_t *json = record("a");

	(void)state;
	json_object_set_new(json, "autostart", json_true());
	assert_int_equal(vm_def_store(&cli, "web", json), 0);
	json_decref(json);
	json = vm_def_load(&cli, "web");
	assert_true(json_is_true(json_object_get(json, "autostart")));
	json_decref(json);
}

static void damaged_files_are_refused(void **state)
{
	(void)state;
	write_text("bad.json", "{\"version\": 1,\n");
	assert_null(vm_def_load(&cli, "bad"));
	write_text("bad.json", "");
	assert_null(vm_def_load(&cli, "bad"));
	write_text("bad.json", "{\"version\": 2, \"args\": [\"--kernel=a\"]}");
	assert_null(vm_def_load(&cli, "bad"));
	write_text("bad.json", "[]");
	assert_null(vm_def_load(&cli, "bad"));
	assert_int_equal(vm_def_forget(&cli, "bad"), 0);
}

static void only_what_vm_run_takes(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"args\": []}",
		"{\"args\": [\"--rng\"]}",
		"{\"args\": [\"--kernel=a\", \"--memory=7\"]}",
		"{\"args\": [\"--kernel=a\", \"--no-such\"]}",
		"{\"args\": [\"--kernel=a\", \"other\"]}",
		"{\"args\": [\"--kernel=a\", \"--vf=e/0:nothing=1\"]}",
	};
	json_t *json = record("a");

	(void)state;
	assert_int_equal(vm_def_check("web", json), 0);
	json_decref(json);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json = json_loads(bad[i], 0, NULL);
		assert_non_null(json);
		if (vm_def_check("web", json) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		json_decref(json);
	}
}

/* A disk that is full: here, a limit of the size of files. */
static void a_full_disk_leaves_the_old_one(void **state)
{
	struct rlimit all, none = {0};

	(void)state;
	assert_int_equal(store("web", "old"), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	none.rlim_max = all.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	int err = store("web", "new");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_int_equal(err, -EFBIG);
	assert_kernel("web", "old");
}

static bool dies(unsigned at)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		steps = 0;
		dies_at = at;
		_exit(store("web", "new") ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == DIED || WEXITSTATUS(status) == 0);
	return WEXITSTATUS(status) == DIED;
}

static void death_leaves_the_old_or_the_new(void **state)
{
	unsigned point = 0, olds = 0, news = 0;

	(void)state;
	do {
		assert_int_equal(store("web", "old"), 0);
		if (!dies(++point))
			break;
		json_t *json = vm_def_load(&cli, "web");
		const json_t *args = json_object_get(json, "args");
		const char *kernel = json_string_value(json_array_get(args, 0));
		assert_non_null(kernel);
		if (!strcmp(kernel, "--kernel=old"))
			olds++;
		else
			news += !strcmp(kernel, "--kernel=new");
		json_decref(json);
		assert_int_equal(olds + news, point);
		assert_int_equal(store("web", "next"), 0); /* what it left is not in the way */
		assert_kernel("web", "next");
	} while (true);
	print_message("kill points of vm define: %u (old %u, new %u)\n", point - 1, olds, news);
	assert_int_equal(point - 1, 7);
	assert_int_equal(olds, 5);
}

static void paths_of_disks_are_absolute(void **state)
{
	json_t *json = record("a");
	const json_t *args = json_object_get(json, "args");
	char cwd[256], wanted[300];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(vm_def_add(json, "--disk", "a.img,ro"), 0);
	assert_int_equal(vm_def_add(json, "--disk", "/a.img"), 0);
	assert_int_equal(vm_def_add(json, "--disk", "vhost-user=a.sock,queues=2"), 0);
	assert_int_equal(vm_def_add(json, "--vf", "ens1f0/2"), 0);
	snprintf(wanted, sizeof(wanted), "--disk=%s/a.img,ro", cwd);
	assert_string_equal(json_string_value(json_array_get(args, 2)), wanted);
	assert_string_equal(json_string_value(json_array_get(args, 3)), "--disk=/a.img");
	snprintf(wanted, sizeof(wanted), "--disk=vhost-user=%s/a.sock,queues=2", cwd);
	assert_string_equal(json_string_value(json_array_get(args, 4)), wanted);
	assert_string_equal(json_string_value(json_array_get(args, 5)), "--vf=ens1f0/2");
	json_decref(json);
}

/* What is given to a definition is taken from it by any of its names. */
static void devices_come_and_go(void **state)
{
	static const struct vm_def_device given[] = {
		{"--vf", "fast:vlan=3"},     {"--vf", "fast:vlan=4"},
		{"--vf", "ens1f0/2"},	     {"--device", "0000:02:00.0"},
		{"--disk", "/srv/a.img,ro"}, {"--disk", "/srv/b.img,serial=B"},
	};
	static const char *const names[] = {"fast",    "fast",	     "ens1f0/2",
					    "02:00.0", "/srv/a.img", "B"};
	static const struct vm_def_device bad[] = {{"--vf", "fast:vlan=5000"}};

	(void)state;
	assert_int_equal(store("web", "a"), 0);
	assert_int_equal(vm_def_attach(&cli, "web", given, ARRAY_SIZE(given)), 0);
	assert_int_equal(vm_def_attach(&cli, "web", bad, 1), -EINVAL);
	assert_int_equal(vm_def_check_attach(&cli, "web", bad, 1), -EINVAL);
	assert_int_equal(vm_def_attach(&cli, "no", given, 1), -ENOENT);
	assert_int_equal(vm_def_detach(&cli, "web", "other"), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *json = vm_def_load(&cli, "web");
		size_t left = json_array_size(json_object_get(json, "args"));

		json_decref(json);
		assert_int_equal(left, 2 + ARRAY_SIZE(given) - i);
		if (vm_def_detach(&cli, "web", names[i]))
			fail_msg("not found: %s", names[i]);
		assert_int_equal(vm_def_detach(&cli, "web", "other"), -ENOENT);
	}
	assert_kernel("web", "a");
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(state_dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[sizeof(state_dir) + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", state_dir);
	return system(command); /* NOLINT: a fixed name */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_kept_and_forgotten),
		cmocka_unit_test(names_stay_in_the_folder),
		cmocka_unit_test(what_others_put_there_stays),
		cmocka_unit_test(damaged_files_are_refused),
		cmocka_unit_test(only_what_vm_run_takes),
		cmocka_unit_test(a_full_disk_leaves_the_old_one),
		cmocka_unit_test(death_leaves_the_old_or_the_new),
		cmocka_unit_test(devices_come_and_go),
		cmocka_unit_test(paths_of_disks_are_absolute),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
