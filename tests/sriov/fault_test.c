/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes wrong: each operation with each errno that the kernel has for it, and what the user
 * reads then; devices that vanish, writes that never return, two commands at once, and a state.db
 * that is full, read-only or damaged. After each, the machine and the wishes agree.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "sriov/bind.h"
#include "sriov/context.h"
#include "sriov/journal.h"
#include "sriov/sql.h"
#include "tests/sriov/host.h"

static const struct sriov_attrs wanted = {
	.set = SRIOV_MAC | SRIOV_VLAN | SRIOV_TRUST,
	.mac = {2, 0, 0, 0, 0, 1},
	.vlan = 100,
	.trust = true,
};

/* ---- what was said ---- */

struct ear {
	int real, fd;
	char text[8192];
};

static void listen_to(struct ear *ear)
{
	fflush(stderr);
	ear->real = dup(STDERR_FILENO);
	ear->fd = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(ear->real >= 0 && ear->fd >= 0);
	dup2(ear->fd, STDERR_FILENO);
}

static const char *heard(struct ear *ear)
{
	fflush(stderr);
	dup2(ear->real, STDERR_FILENO);
	ssize_t n = pread(ear->fd, ear->text, sizeof(ear->text) - 1, 0);
	ear->text[n < 0 ? 0 : n] = '\0';
	fputs(ear->text, stderr);
	close(ear->real);
	close(ear->fd);
	return ear->text;
}

static void assert_said(struct ear *ear, const char *what, const char *where)
{
	if (!strstr(heard(ear), what))
		fail_msg("%s: not said: '%s', but: %s", where, what, ear->text);
}

/* ---- operation, errno: message ---- */

enum op { CREATE, SET, BIND };

static const struct row {
	enum op op;
	int err;
	unsigned attr; /* of SET */
	const char *says;
} rows[] = {
	{CREATE, ENOENT, 0, "its driver (igb) cannot make any"},
	{CREATE, EBUSY, 0, "it has some already, made by somebody else"},
	{CREATE, ENOMEM, 0, "Above 4G decoding"},
	{CREATE, EPERM, 0, "assigned to guests"},
	{CREATE, EACCES, 0, "run as root"},
	{CREATE, EIO, 0, "see dmesg"},
	{CREATE, EINVAL, 0, "see dmesg"},
	{SET, EOPNOTSUPP, SRIOV_TRUST,
	 "trust not set on ens1f0 over rtnetlink (driver igb): this driver cannot set it"},
	{SET, EPERM, SRIOV_MAC, "not permitted; run as root"},
	{SET, EINVAL, SRIOV_VLAN, "the driver refuses the value (kernel: \"the card says no\")"},
	{SET, EBUSY, SRIOV_MAC, "being reset"},
	{SET, EPROTONOSUPPORT, SRIOV_VLAN, "VLAN protocol"},
	{SET, EIO, SRIOV_TRUST, "Input/output error"},
	{BIND, EIO, 0, "vfio-pci did not take it"},
};

static int set_driver(struct host *host, unsigned index, const char *driver)
{
	struct sriov_vf vf = host_vf(host, index);
	const struct sriov_attrs none = {0};
	struct sriov_wish *changes;
	size_t count;

	assert_int_equal(sriov_attr_changes(host->ctx, &vf, &none, driver, &changes, &count), 0);
	int err = sriov_change(host->ctx, &host->pf, changes, count, "vf set");
	free(changes);
	return err;
}

static int run_row(struct host *host, const struct row *row)
{
	struct fake_kernel *k = fake_kernel();
	struct sriov_vf vf;

	switch (row->op) {
	case CREATE:
		k->numvfs_error = -row->err;
		k->numvfs_error_above = 2;
		return sriov_vfs_create(host->ctx, &host->pf, 5, true);
	case SET:
		k->fails = row->attr;
		k->attr_error = -row->err;
		k->words = row->err == EINVAL ? "the card says no" : "";
		vf = host_vf(host, 1);
		return sriov_vf_set(host->ctx, &vf, &wanted);
	case BIND:
		strcpy(k->refuses, "vfio-pci");
		return set_driver(host, 1, "vfio-pci");
	}
	return 0;
}

static void heal(void)
{
	struct fake_kernel *k = fake_kernel();

	k->numvfs_error = k->numvfs_error_above = k->sql_fails_at = 0;
	k->fails = k->fails_above = k->ignores = k->vfs_at_most = 0;
	k->refuses[0] = k->numvfs_blocks[0] = '\0';
	k->words = "";
}

/* Two VFs with their drivers, nothing set. */
static void assert_as_before(struct host *host)
{
	assert_int_equal(host_num_vfs(host), 2);
	assert_int_equal(host_autoprobe(host), 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(host_driver(host, i), "igbvf");
		assert_true(host_no_override(host, i));
		assert_int_equal(fake_kernel()->vf[i].vlan, 0);
		assert_false(fake_kernel()->vf[i].trust);
	}
	assert_int_equal(host_assert(host), 0);
}

static void test_table(void **state)
{
	struct host *host = *state;

	host_make_vfs(host, 2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ear ear;
		listen_to(&ear);
		int err = run_row(host, &rows[i]);
		assert_said(&ear, rows[i].says, strerror(rows[i].err));
		assert_int_equal(err, -rows[i].err);
		heal();
		assert_as_before(host);
	}
}

static void test_too_many(void **state)
{
	struct host *host = *state;
	struct ear ear;

	listen_to(&ear);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 8, true), -ERANGE);
	assert_said(&ear, "8 VFs refused: it has at most 7", "ERANGE");
	host_make_vfs(host, 2);
	fake_kernel()->vfs_at_most = 3;
	listen_to(&ear);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 5, true), -EIO);
	assert_said(&ear, "asked for 5 VFs, driver igb made 3; removed again", "fewer");
	heal();
	assert_as_before(host);
}

/* Taken, and something else stored: half of a message, as rtnetlink does it. */
static void test_half(void **state)
{
	struct host *host = *state;
	struct ear ear;

	host_make_vfs(host, 2);
	fake_kernel()->ignores = SRIOV_TRUST;
	struct sriov_vf vf = host_vf(host, 1);
	listen_to(&ear);
	assert_int_equal(sriov_vf_set(host->ctx, &vf, &wanted), -EIO);
	assert_said(&ear, "trust reads back different from what was set", "half");
	heal();
	assert_as_before(host);
}

/* ---- the machine ---- */

static void test_vanishes(void **state)
{
	struct host *host = *state;
	struct ear ear;

	fake_kernel()->vanishes = true;
	listen_to(&ear);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 2, true), -ENODEV);
	assert_said(&ear, "the device has gone away in the middle of it", "vanished");
	fake_kernel()->vanishes = false;
	assert_int_equal(host_assert(host), 1); /* it is missing */
	fake_pf(&host->sysfs.fs, FAKE_PF, FAKE_IF, 7);
	assert_int_equal(host_apply(host, &host->pf), 0); /* it is back, and so are its VFs */
	assert_int_equal(host_num_vfs(host), 2);
	assert_int_equal(host_assert(host), 0);
}

static int hold_lock(struct host *host, const char *pf)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/lock/%s", host->run_dir, pf);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0); /* who had it was killed, and may take a moment */
	return fd;
}

/* One PF's kernel does not answer: it is blocked, who holds it is said, and others go on. */
static void test_never_returns(void **state)
{
	struct host *host = *state;
	struct sriov_pf other;
	struct ear ear;

	fake_pf(&host->sysfs.fs, FAKE_PF2, FAKE_IF2, 7);
	assert_int_equal(sriov_pf_find(host->ctx, FAKE_IF2, &other), 0);
	host_make_vfs(host, 2);
	strcpy(fake_kernel()->numvfs_blocks, FAKE_PF);
	unsigned patience = host->ctx->slow_ms;
	host->ctx->slow_ms = 100;
	listen_to(&ear);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 4, true), -ETIMEDOUT);
	host->ctx->slow_ms = patience; /* what follows ends by itself, on a busy machine later */
	assert_said(&ear, "the kernel has not answered", "never returns");
	assert_int_equal(sriov_vfs_create(host->ctx, &other, 3, true), 0);

	/* The writer in the kernel keeps the lock; the next command does not wait for it. */
	int lock = hold_lock(host, FAKE_PF);
	listen_to(&ear);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 5, true), -EBUSY);
	assert_said(&ear, "blocked: the kernel still waits in a 'vf create'", "blocked");
	assert_int_equal(sriov_vfs_create(host->ctx, &other, 4, true), 0);
	assert_true(host_assert(host) > 0);

	/* It lets go: one command finishes what was begun. */
	close(lock);
	heal();
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_int_equal(host_num_vfs(host), 4);
	assert_int_equal(host_assert(host), 0);
}

/* A file that nobody ever reads from: the write is given up, and who could be in the way is said.
 */
static void test_fifo(void **state)
{
	struct host *host = *state;
	unsigned patience = host->ctx->slow_ms;
	char path[256], dev[BDF_TEXT];
	struct ear ear;

	host_make_vfs(host, 2);
	struct sriov_vf vf = host_vf(host, 1);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/reset", host->sysfs.dir,
		 bdf_format(vf.bdf, dev));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	host->ctx->slow_ms = 100;
	listen_to(&ear);
	assert_int_equal(bind_scrub(host->ctx, vf.bdf), -ETIMEDOUT);
	host->ctx->slow_ms = patience;
	assert_said(&ear, "resetting it has blocked in the kernel", "FIFO");
	assert_as_before(host);
}

/* ---- two commands at once ---- */

static void test_two_commands(void **state)
{
	struct host *host = *state;
	struct sriov_config config = {.sysfs = host->sysfs.dir,
				      .state_dir = host->state_dir,
				      .run_dir = host->run_dir,
				      .root = host->sysfs.dir};
	pid_t pids[4];

	host_make_vfs(host, 2);
	for (unsigned i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		struct sriov *ctx;
		struct sriov_vf vf;
		const struct sriov_attrs mine = {.set = SRIOV_VLAN, .vlan = (uint16_t)(10 + i)};
		int err = sriov_open(&config, &ctx);
		for (unsigned n = 0; n < 5 && !err; n++) {
			err = sriov_vf_find(ctx, i & 1 ? FAKE_IF "/1" : FAKE_IF "/0", &vf);
			err = err ? err : sriov_vf_set(ctx, &vf, &mine);
		}
		_exit(err ? 1 : 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	}
	/* Whoever came last: the machine and the wishes say the same. */
	assert_int_equal(host_assert(host), 0);
	assert_true(fake_kernel()->vf[0].vlan == 10 || fake_kernel()->vf[0].vlan == 12);
	assert_true(fake_kernel()->vf[1].vlan == 11 || fake_kernel()->vf[1].vlan == 13);
}

/* ---- state.db ---- */

static void pragma(struct host *host, const char *text)
{
	assert_int_equal(sqlite3_exec(host->ctx->ledger->db, text, NULL, NULL, NULL), SQLITE_OK);
}

static void test_full_disk(void **state)
{
	struct host *host = *state;
	struct ear ear;

	fake_put(&host->sysfs.fs, "64\n", "bus/pci/devices/" FAKE_PF "/sriov_totalvfs");
	host_make_vfs(host, 60); /* so many that their journal needs more than one page */
	pragma(host, "VACUUM");
	pragma(host, "PRAGMA max_page_count = 1"); /* as many as there are, that is */
	listen_to(&ear);
	int err = sriov_vfs_create(host->ctx, &host->pf, 64, true);
	assert_said(&ear, "make room on its file system", "full");
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(host_num_vfs(host), 60);
	pragma(host, "PRAGMA max_page_count = 1000000");
	assert_int_equal(host_assert(host), 0);
	host_make_vfs(host, 64);
	assert_int_equal(host_assert(host), 0);
}

static void test_read_only(void **state)
{
	struct host *host = *state;
	struct ear ear;

	host_make_vfs(host, 2);
	pragma(host, "PRAGMA query_only = 1");
	listen_to(&ear);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 5, true), -EACCES);
	assert_said(&ear, "state.db: ledger not written", "read-only");
	assert_int_equal(host_vf(host, 1).state, SRIOV_VF_FREE); /* looking still works */
	pragma(host, "PRAGMA query_only = 0");
	assert_as_before(host);
}

/* The database fails at any one of its statements, with any of these: never half a change that
 * nobody knows of. */
static void test_any_statement(void **state)
{
	static const int errors[] = {SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY};
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();
	unsigned points = 0;

	host_make_vfs(host, 2);
	for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
		for (int at = 1;; at += 3) {
			k->sql_error = errors[e];
			k->sql_fails_at = at;
			int err = sriov_vfs_create(host->ctx, &host->pf, 4, false);
			bool reached = !k->sql_fails_at;
			heal();
			assert_true(reached ? err != 0 || host_num_vfs(host) == 4 : !err);
			assert_int_equal(host_apply(host, &host->pf), 0);
			if (host_assert(host))
				fail_msg("statement %d: %s", at, host->told);
			assert_int_equal(host_autoprobe(host), host_num_vfs(host) != 4);
			assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 2, true), 0);
			points += reached;
			if (!reached)
				break;
		}
	}
	print_message("#: statements that failed: %u\n", points);
	assert_true(points > 30);
}

static void damage(struct host *host)
{
	char path[256];

	sriov_close(host->ctx); /* the write-ahead log goes into the file */
	host->ctx = NULL;
	snprintf(path, sizeof(path), "%s/state.db", host->state_dir);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t at = 4096; at < 12 * 4096; at += 512)
		assert_int_equal(pwrite(fd, "this is no page of any database", 31, at), 31);
	close(fd);
	host_reopen(host);
}

static bool kept_aside(struct host *host)
{
	char command[256];

	snprintf(command, sizeof(command), "ls %s | grep -q '^state.db.damaged-'", host->state_dir);
	return system(command) == 0;
}

/* It is kept, a new one begins, and what is there belongs to nobody we know: hands off. */
static void test_damaged(void **state)
{
	struct host *host = *state;
	struct ear ear;

	host_make_vfs(host, 2);
	struct sriov_vf vf = host_vf(host, 1);
	assert_int_equal(sriov_vf_set(host->ctx, &vf, &wanted), 0);
	damage(host);
	listen_to(&ear);
	assert_int_equal(host_vf(host, 1).state, SRIOV_VF_FOREIGN);
	assert_said(&ear, "in which all VFs of now are foreign: `sluice vf adopt` takes them in",
		    "damaged");
	assert_true(kept_aside(host));
	assert_int_equal(host_vf(host, 0).state, SRIOV_VF_FOREIGN);
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), -EBUSY);

	for (unsigned i = 0; i < 2; i++) {
		vf = host_vf(host, i);
		assert_int_equal(sriov_adopt(host->ctx, &vf), 0);
		assert_int_equal(host_vf(host, i).state, SRIOV_VF_FREE);
	}
	assert_int_equal(host_assert(host), 0);
	fake_reboot(&host->sysfs.fs, FAKE_PF);
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_int_equal(fake_kernel()->vf[1].vlan, 100); /* as it was when it was adopted */
	assert_memory_equal(fake_kernel()->vf[1].mac, wanted.mac, 6);
	assert_int_equal(host_num_vfs(host), 2);
}

/* Bound by hand: foreign until it is adopted; in use: not even then. */
static void test_adopt(void **state)
{
	struct host *host = *state;

	host_make_vfs(host, 2);
	struct sriov_vf vf = host_vf(host, 1);
	assert_int_equal(sriov_bind(host->ctx, vf.bdf, "vfio-pci", NULL), 0);
	vf = host_vf(host, 1);
	assert_int_equal(vf.state, SRIOV_VF_FOREIGN);
	fake_kernel()->holder_group = vf.iommu_group;
	vf = host_vf(host, 1);
	assert_int_equal(sriov_adopt(host->ctx, &vf), -EBUSY);
	fake_kernel()->holder_group = -1;
	vf = host_vf(host, 1);
	assert_int_equal(sriov_adopt(host->ctx, &vf), 0);
	assert_int_equal(host_vf(host, 1).state, SRIOV_VF_FREE);
	fake_kernel()->blind = true; /* who knows who uses it? */
	assert_int_equal(host_vf(host, 1).state, SRIOV_VF_FOREIGN);
	fake_kernel()->blind = false;
	assert_int_equal(host_assert(host), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_too_many, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_half, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_vanishes, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_never_returns, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_fifo, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_two_commands, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_read_only, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_any_statement, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_damaged, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_adopt, host_setup, host_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
