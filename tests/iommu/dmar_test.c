/* SPDX-License-Identifier: BSD-3-Clause */
/* DMAR tables made by hand, good and bad (VT-d chapter 8), and scopes followed in a made-up tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/dmar.h"
#include "tests/fakes/fake_dmar.h"
#include "tests/fakes/fake_sysfs.h"

static int parse(struct table *t, struct dmar **out)
{
	table_finish(t);
	uint8_t *exact = malloc(t->len); /* so that a read past the end is seen */
	memcpy(exact, t->bytes, t->len);
	int err = dmar_parse(exact, t->len, out);
	free(exact);
	return err;
}

/* One of everything. */
static void whole(struct table *t)
{
	table_start(t);
	table_drhd(t, 0, 0xfed90000), table_scope(t, 1, 0, 0, 0x0200), table_end(t);
	table_drhd(t, 1, 0xfed91000), table_scope(t, 3, 2, 0xf0, 0x1f00),
		table_scope(t, 4, 0, 0, 0x1f00), table_end(t);
	table_entry(t, DMAR_RMRR), table_put(t, 0, 2), table_put(t, 0, 2);
	table_put(t, 0x7d000000, 8), table_put(t, 0x7f7fffff, 8), table_scope(t, 1, 0, 0, 0x0200),
		table_end(t);
	table_entry(t, DMAR_ATSR), table_put(t, 0, 4), table_scope(t, 2, 0, 0, 0x0100),
		table_end(t);
	table_entry(t, DMAR_RHSA), table_put(t, 0, 4), table_put(t, 0xfed90000, 8),
		table_put(t, 1, 4), table_end(t);
	table_entry(t, DMAR_ANDD), table_put(t, 0, 3), table_put(t, 7, 1);
	memcpy(t->bytes + t->len, "\\_SB.I2C0", 10), t->len += 10, table_end(t);
	table_entry(t, DMAR_SATC), table_put(t, 1, 4), table_scope(t, 1, 0, 0, 0x0300),
		table_end(t);
	table_entry(t, 99), table_put(t, 0, 4), table_end(t); /* to be passed over */
}

static void test_whole(void **state)
{
	struct table t;
	struct dmar *dmar;
	(void)state;

	whole(&t);
	assert_int_equal(parse(&t, &dmar), 0);
	assert_int_equal(dmar->host_width, 39);
	assert_true(dmar->interrupt_remapping && dmar->dma_opt_in && !dmar->x2apic_opt_out);
	assert_int_equal(dmar->count, 7);
	const struct dmar_entry *e = dmar->entries;
	assert_int_equal(e[0].range.start, 0xfed90000);
	assert_int_equal(e[0].range.last, 0xfed90fff);
	assert_false(e[0].all);
	assert_int_equal(e[0].scopes[0].type, DMAR_SCOPE_ENDPOINT);
	assert_true(e[1].all);
	assert_int_equal(e[1].scope_count, 2);
	assert_int_equal(e[1].scopes[0].id, 2);
	assert_int_equal(e[1].scopes[0].bus, 0xf0);
	assert_int_equal(e[2].range.last, 0x7f7fffff);
	assert_int_equal(e[3].scopes[0].type, DMAR_SCOPE_BRIDGE);
	assert_int_equal(e[4].proximity, 1);
	assert_string_equal(e[5].name, "\\_SB.I2C0");
	assert_int_equal(e[5].number, 7);
	assert_true(e[6].required);
	assert_string_equal(dmar_type_name(e[6].type), "SATC");
	assert_string_equal(dmar_scope_name(DMAR_SCOPE_HPET), "HPET");
	dmar_destroy(dmar);
	dmar_destroy(NULL);
}

static void test_every_cut(void **state)
{
	struct table t, cut;
	struct dmar *dmar;
	size_t good = 0;
	(void)state;

	whole(&t);
	for (size_t len = 0; len < t.len; len++) {
		cut = t;
		cut.len = MAX(len, (size_t)12);
		int err = parse(&cut, &dmar);
		if (!err)
			good++, dmar_destroy(dmar);
		else
			assert_int_equal(err, -EINVAL);
	}
	assert_int_equal(good, 8); /* between two structures only */
}

static int patched(size_t at, uint8_t value)
{
	struct table t;
	struct dmar *dmar;

	whole(&t);
	t.bytes[at] = value;
	int err = parse(&t, &dmar);
	if (!err)
		dmar_destroy(dmar);
	return err;
}

static void test_bad(void **state)
{
	struct table t;
	struct dmar *dmar;
	(void)state;

	assert_int_equal(patched(0, 'X'), -EINVAL);
	assert_int_equal(patched(48 + 2, 0), -EINVAL);	    /* a structure of no length */
	assert_int_equal(patched(48 + 2, 15), -EINVAL);	    /* shorter than a DRHD */
	assert_int_equal(patched(48 + 9, 1), -EINVAL);	    /* registers not on a page */
	assert_int_equal(patched(48 + 16 + 1, 0), -EINVAL); /* a scope of no length */
	assert_int_equal(patched(48 + 16 + 1, 5), -EINVAL);
	assert_int_equal(patched(48 + 16 + 1, 7), -EINVAL); /* half a step */
	assert_int_equal(patched(48 + 16 + 1, 200), -EINVAL);
	assert_int_equal(patched(48 + 16, 0), -EINVAL);	     /* unknown scope */
	assert_int_equal(patched(48 + 16 + 6, 32), -EINVAL); /* no such device */
	whole(&t);
	table_finish(&t);
	t.bytes[40] ^= 1;
	assert_int_equal(dmar_parse(t.bytes, t.len, &dmar), -EINVAL); /* checksum */
	assert_int_equal(dmar_parse(t.bytes, t.len - 1, &dmar), -EINVAL);
	table_start(&t), table_drhd(&t, 1, 0xfed90000), table_end(&t),
		table_drhd(&t, 1, 0xfed91000), table_end(&t);
	assert_int_equal(parse(&t, &dmar), -EINVAL); /* two of all */
	table_start(&t), table_drhd(&t, 0, 0xfed90000), table_end(&t),
		table_drhd(&t, 1, 0xfed90000), table_end(&t);
	assert_int_equal(parse(&t, &dmar), -EINVAL); /* one place */
	table_start(&t), table_drhd(&t, 0, 0xfed90000), table_scope(&t, 1, 0, 0, 0x0200),
		table_end(&t);
	table_drhd(&t, 0, 0xfed91000), table_scope(&t, 1, 0, 0, 0x0200), table_end(&t);
	assert_int_equal(parse(&t, &dmar), -EINVAL); /* overlapping scopes */
	table_start(&t), table_entry(&t, DMAR_RMRR), table_put(&t, 0, 4), table_put(&t, 0x2000, 8),
		table_put(&t, 0xfff, 8);
	table_end(&t);
	assert_int_equal(parse(&t, &dmar), -EINVAL); /* backwards */
}

static void put_bridge(const struct sysfs *fs, const char *bdf, uint8_t secondary, uint8_t last)
{
	char path[128];
	uint8_t config[64] = {[0x0e] = 0x81, [0x19] = secondary, [0x1a] = last};

	fake_device(fs, bdf, -1, "");
	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", bdf);
	int fd = openat(fs->root, path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, config, sizeof(config)), sizeof(config));
	close(fd);
}

static struct bdf bdf_of(const char *text)
{
	struct bdf bdf;

	assert_int_equal(bdf_parse(text, &bdf), 0);
	return bdf;
}

static void test_scopes(void **state)
{
	struct fake_sysfs fake;
	struct table t;
	struct dmar *dmar;
	struct bdf bdf;
	(void)state;

	fake_sysfs_make(&fake);
	put_bridge(&fake.fs, "0000:00:01.0", 1, 3);
	put_bridge(&fake.fs, "0000:01:00.0", 2, 3);
	put_bridge(&fake.fs, "0000:02:00.0", 1, 9); /* leads back */
	fake_device(&fake.fs, "0000:03:00.0", -1, "");
	fake_device(&fake.fs, "0000:00:05.0", -1, "");
	fake_link(&fake.fs, "../0000:03:00.0", "bus/pci/devices/0000:07:10.0/physfn");
	table_start(&t);
	table_drhd(&t, 0, 0xfed90000), table_scope(&t, 2, 0, 0, 0x0100), table_end(&t);
	table_drhd(&t, 1, 0xfed91000), table_end(&t);
	assert_int_equal(parse(&t, &dmar), 0);
	const struct dmar_entry *a = &dmar->entries[0], *b = &dmar->entries[1];
	assert_ptr_equal(dmar_unit_of(dmar, &fake.fs, bdf_of("0000:00:01.0")), a);
	assert_ptr_equal(dmar_unit_of(dmar, &fake.fs, bdf_of("0000:03:00.0")), a);
	assert_ptr_equal(dmar_unit_of(dmar, &fake.fs, bdf_of("0000:00:05.0")), b);
	/* a VF on a bus beyond the bridge's is where its PF is */
	assert_ptr_equal(dmar_unit_of(dmar, &fake.fs, bdf_of("0000:07:10.0")), a);
	assert_ptr_equal(dmar_unit_of(dmar, &fake.fs, bdf_of("0001:00:05.0")), NULL);

	struct dmar_scope way = {.type = DMAR_SCOPE_ENDPOINT, .depth = 3};
	way.path[0].dev = 1;
	assert_int_equal(dmar_scope_resolve(&fake.fs, 0, &way, &bdf), 0);
	assert_true(bdf_equal(bdf, bdf_of("0000:02:00.0")));
	way.depth = 4;
	assert_int_equal(dmar_scope_resolve(&fake.fs, 0, &way, &bdf), -ELOOP);
	way.path[0].dev = 5; /* no bridge */
	assert_int_equal(dmar_scope_resolve(&fake.fs, 0, &way, &bdf), -ENODEV);
	way.type = DMAR_SCOPE_HPET;
	assert_int_equal(dmar_scope_resolve(&fake.fs, 0, &way, &bdf), -ENOTSUP);
	dmar_destroy(dmar);
	fake_sysfs_remove(&fake);
}

static void test_read(void **state)
{
	struct fake_sysfs fake;
	struct table t;
	struct dmar *dmar;
	(void)state;

	fake_sysfs_make(&fake);
	assert_int_equal(dmar_read(&fake.fs, &dmar), -ENOENT);
	whole(&t);
	table_install(&t, &fake.fs);
	assert_int_equal(dmar_read(&fake.fs, &dmar), 0);
	assert_int_equal(dmar->count, 7);
	dmar_destroy(dmar);
	fake_sysfs_remove(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole), cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_bad),   cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
