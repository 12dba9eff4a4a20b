/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_file_test: the files below tests/cli/host-files. Each of bad/ ends with "# expect: TEXT",
 * which must be somewhere in what is said about it; those of good/ are accepted without a word.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "cli/host_file.h"
#include "cli/host_shape.h"

#define FILES "tests/cli/host-files"

/* Reads the file with standard error in a file; `said` is allocated. */
static int read_host(const char *path, struct host_file **out, char **said)
{
	int log = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
	size_t len;

	assert_true(log >= 0 && before >= 0);
	assert_true(dup2(log, STDERR_FILENO) >= 0);
	int err = host_file_read(path, out);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	lseek(log, 0, SEEK_SET);
	assert_int_equal(io_read_file(log, 1 << 20, said, &len), 0);
	close(log);
	return err;
}

static char *expected(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text, *at;
	size_t len;

	assert_int_equal(io_read_file(fd, 1 << 20, &text, &len), 0);
	close(fd);
	at = strstr(text, "# expect: ");
	assert_non_null(at);
	at = strdup(at + strlen("# expect: "));
	at[strcspn(at, "\n")] = '\0';
	free(text);
	return at;
}

static unsigned for_each(const char *folder, void (*look)(const char *path))
{
	DIR *dir = opendir(folder);
	unsigned count = 0;

	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		char path[512];
		if (!strstr(e->d_name, ".yaml"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		look(path);
		count++;
	}
	closedir(dir);
	return count;
}

static void look_bad(const char *path)
{
	struct host_file *file;
	char *said, *want = expected(path);
	int err = read_host(path, &file, &said);

	if (err != -EINVAL || !strstr(said, want))
		fail_msg("%s: %d, said: %swanted: %s", path, err, said, want);
	assert_null(file);
	free(said);
	free(want);
}

static void test_mistakes(void **state)
{
	(void)state;
	assert_true(for_each(FILES "/bad", look_bad) >= 50);
}

static void look_good(const char *path)
{
	struct host_file *file;
	char *said;

	if (read_host(path, &file, &said) || *said)
		fail_msg("%s: %s", path, said);
	free(said);
	host_file_free(file);
}

static void test_good(void **state)
{
	(void)state;
	assert_true(for_each(FILES "/good", look_good) >= 4);
}

/* VMs come in the order of their start, with the options of vm run. */
static void test_vms(void **state)
{
	struct host_file *file;
	size_t count;
	(void)state;

	assert_int_equal(host_file_read(FILES "/good/router.yaml", &file), 0);
	const struct host_vm *vms = host_file_vms(file, &count);
	assert_int_equal(count, 2);
	assert_string_equal(vms[0].name, "router");
	assert_string_equal(vms[1].name, "server");
	assert_int_equal(vms[0].restart, HOST_RESTART_ALWAYS);
	assert_int_equal(vms[0].stop_timeout, 30);
	assert_int_equal(vms[1].restart, HOST_RESTART_ON_FAILURE);
	assert_int_equal(vms[1].order, 100);
	json_t *args = json_pack("[s,s,s,s,s,s,s]", "--firmware=uefi", "--cpus=2",
				 "--disk=/srv/router.img", "--disk=/srv/tools.img,ro", "--vf=fast",
				 "--vf=fast", "--rng");
	assert_true(json_equal(json_object_get(vms[0].record, "args"), args));
	json_decref(args);
	assert_non_null(strstr(vms[1].where, "router.yaml:31:5"));
	host_file_free(file);
}

/* All that is wrong is told, not only the first. */
static void test_all_complaints(void **state)
{
	static const char text[] = "version: 1\npools:\n  - nmae: a\n  - name: b\n    speed: x\n";
	static const struct yaml_shape pool[] = {
		{.key = "name", .kind = YAML_TEXT, .required = true},
		{.key = "speed", .kind = YAML_NUMBER},
		{0}};
	static const struct yaml_shape root[] = {
		{.key = "version", .kind = YAML_NUMBER},
		{.key = "pools", .kind = YAML_OBJECT, .fields = pool, .many = true},
		{0}};
	struct yaml_file *file;
	int log = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
	char *said;
	size_t len;
	(void)state;

	assert_true(dup2(log, STDERR_FILENO) >= 0);
	int err = yaml_text_read("t", text, strlen(text), root, &file);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	assert_int_equal(err, -EINVAL);
	lseek(log, 0, SEEK_SET);
	assert_int_equal(io_read_file(log, 1 << 20, &said, &len), 0);
	close(log);
	assert_non_null(strstr(said, "t:3:5: pools/0: no key 'nmae'; did you mean 'name'?"));
	assert_non_null(strstr(said, "t:3:5: pools/0: 'name' is missing"));
	assert_non_null(strstr(said, "t:5:12: pools/1/speed: 'x': a number is wanted"));
	free(said);
}

/* What is written is read back as it was. */
static void test_write(void **state)
{
	json_t *root = json_pack("{s:i,s:[{s:s,s:i}]}", "version", 1, "pools", "name", "yes: no #1",
				 "speed", 10000);
	static const struct yaml_shape pool[] = {
		{.key = "name", .kind = YAML_TEXT}, {.key = "speed", .kind = YAML_NUMBER}, {0}};
	static const struct yaml_shape shape[] = {
		{.key = "version", .kind = YAML_NUMBER},
		{.key = "pools", .kind = YAML_OBJECT, .fields = pool, .many = true},
		{0}};
	struct yaml_file *file;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	(void)state;

	assert_int_equal(yaml_write(out, root), 0);
	fclose(out);
	assert_int_equal(yaml_text_read("t", text, len, shape, &file), 0);
	assert_true(json_equal(yaml_file_root(file), root));
	yaml_file_free(file);
	json_decref(root);
	free(text);
}

/* The documentation has every key there is, as the program knows it. */
static void test_documented(void **state)
{
	int fd = open("docs/host-file.md", O_RDONLY | O_CLOEXEC);
	char *doc, *schema = NULL;
	size_t len;
	FILE *out = open_memstream(&schema, &len);
	(void)state;

	host_shape_describe(out);
	fclose(out);
	assert_int_equal(io_read_file(fd, 1 << 20, &doc, &len), 0);
	close(fd);
	if (!strstr(doc, schema))
		fail_msg(
			"docs/host-file.md is old: put the output of sluice export --schema there");
	free(doc);
	free(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_good),
		cmocka_unit_test(test_vms),	 cmocka_unit_test(test_all_complaints),
		cmocka_unit_test(test_write),	 cmocka_unit_test(test_documented),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
