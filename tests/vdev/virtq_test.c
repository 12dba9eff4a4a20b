/* SPDX-License-Identifier: BSD-3-Clause */
/* virtq: both layouts against a driver that keeps the rules, and one that breaks each of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/vdev/guest_ring.h"
#include "vdev/virtq.h"

#define RING_GPA (FAKE_RAM_GPA + 0x1000u)
#define DATA	 (FAKE_RAM_GPA + 0x40000u)
#define BORDER	 (FAKE_RAM_GPA + FAKE_RAM / 2)
#define END	 (FAKE_RAM_GPA + FAKE_RAM)

struct rig {
	struct hv_vm *vm;
	struct guest_ring ring;
	struct vdev_virtq q;
	unsigned broken;
	struct iovec iov[GUEST_RING_MAX + 4];
	struct vdev_virtq_chain chain;
};

static void on_broken(void *opaque)
{
	(*(unsigned *)opaque)++;
}

static struct rig *set_up(bool packed, bool event_idx, uint16_t size)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->vm = fake_hv_create();
	fake_hv_add_ram(rig->vm);
	guest_ring_init(&rig->ring, rig->vm, packed, event_idx, size, RING_GPA);
	rig->q.vm = rig->vm;
	rig->q.name = "test";
	rig->q.broken = on_broken;
	rig->q.opaque = &rig->broken;
	rig->q.complained = true; /* the log of these tests is quiet */
	atomic_store(&rig->q.call_fd, eventfd(0, EFD_NONBLOCK));
	vdev_virtq_reset(&rig->q);
	rig->q.size = size;
	rig->q.desc = rig->ring.desc;
	rig->q.driver = rig->ring.driver;
	rig->q.device = rig->ring.device;
	rig->q.packed = packed;
	rig->q.event_idx = event_idx;
	rig->q.indirect = true;
	assert_int_equal(vdev_virtq_start(&rig->q), 0);
	return rig;
}

static void tear_down(struct rig *rig)
{
	close(atomic_load(&rig->q.call_fd));
	fake_hv_destroy(rig->vm);
	free(rig);
}

static int pop(struct rig *rig)
{
	return vdev_virtq_pop(&rig->q, rig->iov, ARRAY_SIZE(rig->iov), &rig->chain);
}

static uint64_t interrupts(struct rig *rig)
{
	uint64_t count = 0;

	return read(atomic_load(&rig->q.call_fd), &count, sizeof(count)) == sizeof(count) ? count
											  : 0;
}

/* ---- a driver that keeps the rules ---- */

/* Chains of one to four buffers, with and without a table, several under way and given back in
 * another order, until the ring has turned round many times. */
static void turn(bool packed, bool event_idx, uint16_t size)
{
	struct rig *rig = set_up(packed, event_idx, size);
	struct vdev_virtq_chain kept[3];
	uint32_t written;

	for (unsigned round = 0; round < 3u * 70000 / 7; round++) {
		int id[3];

		for (unsigned i = 0; i < 3; i++) {
			unsigned n = 1 + (round + i) % 4;
			struct guest_buf buf[4];

			for (unsigned b = 0; b < n; b++)
				buf[b] = (struct guest_buf){DATA + 4096u * (4 * i + b), 100 + b,
							    b >= n / 2};
			id[i] = guest_ring_add(&rig->ring, buf, n, (round + i) % 3 == 0);
			assert_true(id[i] >= 0);
		}
		for (unsigned i = 0; i < 3; i++) {
			unsigned n = 1 + (round + i) % 4;

			assert_int_equal(pop(rig), 1);
			kept[i] = rig->chain;
			assert_int_equal(kept[i].id, id[i]);
			assert_int_equal(kept[i].outs, n / 2);
			assert_int_equal(kept[i].ins, n - n / 2);
			assert_ptr_equal(rig->iov[0].iov_base,
					 hv_mem_ptr(rig->vm, DATA + 16384u * i, 1));
		}
		assert_int_equal(pop(rig), 0);
		for (unsigned i = 3; i-- > 0;)
			vdev_virtq_push(&rig->q, &kept[i], 10 * i + 1);
		for (unsigned i = 3; i-- > 0;) {
			assert_int_equal(guest_ring_get(&rig->ring, &written), id[i]);
			assert_int_equal(written, 10 * i + 1);
		}
		assert_int_equal(guest_ring_get(&rig->ring, &written), -1);
	}
	assert_int_equal(rig->broken, 0);
	assert_int_equal(rig->q.in_flight, 0);
	tear_down(rig);
}

static void test_turn_split(void **state)
{
	(void)state;
	turn(false, false, 16);
	turn(false, true, 64);
}

static void test_turn_packed(void **state)
{
	(void)state;
	turn(true, false, 16);
	turn(true, true, 13); /* a packed ring's size is any */
}

static void across_blocks(bool packed)
{
	struct rig *rig = set_up(packed, false, 16);
	struct guest_buf buf = {BORDER - 100, 300, true};

	guest_ring_add(&rig->ring, &buf, 1, false);
	assert_int_equal(pop(rig), 1);
	assert_int_equal(rig->chain.ins, 2);
	assert_int_equal(rig->chain.in_len, 300);
	assert_int_equal(rig->chain.in[0].iov_len, 100);
	assert_ptr_equal(rig->chain.in[1].iov_base, hv_mem_ptr(rig->vm, BORDER, 1));
	tear_down(rig);
}

static void test_across_blocks(void **state)
{
	(void)state;
	across_blocks(false);
	across_blocks(true);
}

static void unpop(bool packed)
{
	struct rig *rig = set_up(packed, false, packed ? 3 : 4);
	struct guest_buf buf[2] = {{DATA, 10, false}, {DATA + 64, 20, true}};
	uint32_t written;

	for (unsigned i = 0; i < 50; i++) {
		int id = guest_ring_add(&rig->ring, buf, 2, false);

		assert_int_equal(pop(rig), 1);
		vdev_virtq_unpop(&rig->q, &rig->chain);
		assert_true(vdev_virtq_pending(&rig->q));
		assert_int_equal(pop(rig), 1);
		assert_int_equal(rig->chain.id, id);
		vdev_virtq_push(&rig->q, &rig->chain, 1);
		assert_int_equal(guest_ring_get(&rig->ring, &written), id);
	}
	assert_int_equal(rig->q.in_flight, 0);
	tear_down(rig);
}

static void test_unpop(void **state)
{
	(void)state;
	unpop(false);
	unpop(true);
}

/* Several chains given back appear to the driver together. */
static void batch(bool packed)
{
	struct rig *rig = set_up(packed, false, 8);
	struct guest_buf buf = {DATA, 10, true};
	uint32_t written;

	for (unsigned round = 0; round < 20; round++) {
		int id[3];

		for (unsigned i = 0; i < 3; i++)
			id[i] = guest_ring_add(&rig->ring, &buf, 1, false);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(pop(rig), 1);
			vdev_virtq_fill(&rig->q, &rig->chain, i + 1);
			assert_int_equal(guest_ring_get(&rig->ring, &written), -1);
		}
		vdev_virtq_flush(&rig->q);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(guest_ring_get(&rig->ring, &written), id[i]);
			assert_int_equal(written, i + 1);
		}
	}
	tear_down(rig);
}

static void test_batch(void **state)
{
	(void)state;
	batch(false);
	batch(true);
}

static void give(struct rig *rig, unsigned count)
{
	struct guest_buf buf = {DATA, 10, true};
	uint32_t written;

	for (unsigned i = 0; i < count; i++) {
		guest_ring_add(&rig->ring, &buf, 1, false);
		assert_int_equal(pop(rig), 1);
		vdev_virtq_push(&rig->q, &rig->chain, 1);
		guest_ring_get(&rig->ring, &written);
	}
	vdev_virtq_notify(&rig->q);
}

static void suppression(bool packed)
{
	struct rig *rig = set_up(packed, false, 8);

	vdev_virtq_notify(&rig->q);
	assert_int_equal(interrupts(rig), 0); /* nothing was given back */
	give(rig, 3);
	assert_int_equal(interrupts(rig), 1);
	guest_ring_interrupts(&rig->ring, false);
	give(rig, 3);
	assert_int_equal(interrupts(rig), 0);
	guest_ring_interrupts(&rig->ring, true);
	vdev_virtq_notify(&rig->q);
	assert_int_equal(interrupts(rig), 0);
	give(rig, 1);
	assert_int_equal(interrupts(rig), 1);
	tear_down(rig);

	rig = set_up(packed, true, 8);
	for (unsigned round = 0; round < 40; round++) {
		guest_ring_interrupt_after(&rig->ring, 2);
		give(rig, 2);
		assert_int_equal(interrupts(rig), 0);
		give(rig, 1);
		assert_int_equal(interrupts(rig), 1);
		give(rig, 2);
		assert_int_equal(interrupts(rig), 0);
	}
	tear_down(rig);
}

static void test_suppression(void **state)
{
	(void)state;
	suppression(false);
	suppression(true);
}

static void kicks(bool packed, bool event_idx)
{
	struct rig *rig = set_up(packed, event_idx, 8);
	struct guest_buf buf = {DATA, 10, true};
	uint32_t written;

	for (unsigned round = 0; round < 40; round++) {
		assert_false(vdev_virtq_kick_on(&rig->q));
		guest_ring_add(&rig->ring, &buf, 1, false);
		assert_true(guest_ring_kick_wanted(&rig->ring, 1));
		vdev_virtq_kick_off(&rig->q);
		guest_ring_add(&rig->ring, &buf, 1, false);
		assert_false(guest_ring_kick_wanted(&rig->ring, 1));
		assert_int_equal(pop(rig), 1);
		vdev_virtq_push(&rig->q, &rig->chain, 0);
		assert_true(vdev_virtq_kick_on(&rig->q)); /* the second came without a kick */
		assert_int_equal(pop(rig), 1);
		vdev_virtq_push(&rig->q, &rig->chain, 0);
		while (guest_ring_get(&rig->ring, &written) >= 0)
			;
	}
	tear_down(rig);
}

static void test_kicks(void **state)
{
	(void)state;
	kicks(false, false);
	kicks(false, true);
	kicks(true, false);
	kicks(true, true);
}

static void saved(bool packed)
{
	struct rig *rig = set_up(packed, false, 8);
	struct state *s = state_new();
	struct guest_buf buf = {DATA, 10, true};
	uint32_t written;

	give(rig, 13);
	vdev_virtq_save(&rig->q, s);
	vdev_virtq_reset(&rig->q);
	vdev_virtq_load(&rig->q, s);
	rig->q.packed = packed;
	assert_int_equal(state_error(s), 0);
	assert_int_equal(vdev_virtq_start(&rig->q), 0);
	int id = guest_ring_add(&rig->ring, &buf, 1, false);
	assert_int_equal(pop(rig), 1);
	vdev_virtq_push(&rig->q, &rig->chain, 4);
	assert_int_equal(guest_ring_get(&rig->ring, &written), id);
	state_free(s);
	tear_down(rig);
}

static void test_saved(void **state)
{
	(void)state;
	saved(false);
	saved(true);
}

/* ---- a driver that breaks them ---- */

static struct vring_desc *desc(struct rig *rig, unsigned i)
{
	return (struct vring_desc *)guest_ring_at(&rig->ring, rig->ring.desc) + i;
}

static struct vring_packed_desc *pdesc(struct rig *rig, unsigned i)
{
	return (struct vring_packed_desc *)guest_ring_at(&rig->ring, rig->ring.desc) + i;
}

static void expect_broken(struct rig *rig)
{
	assert_int_equal(pop(rig), -EIO);
	assert_int_equal(pop(rig), -EIO);
	assert_int_equal(rig->broken, 1);
	assert_false(vdev_virtq_kick_on(&rig->q));
	assert_false(vdev_virtq_pending(&rig->q));
	vdev_virtq_reset(&rig->q);
	assert_false(rig->q.is_broken);
	tear_down(rig);
}

/* A chain of the given buffers, direct or by a table, in either layout. */
static void bad_chain(const struct guest_buf *buf, unsigned count)
{
	for (unsigned variant = 0; variant < 4; variant++) {
		struct rig *rig = set_up(variant & 1, false, 16);

		assert_true(guest_ring_add(&rig->ring, buf, count, variant & 2) >= 0);
		expect_broken(rig);
	}
}

static void test_bad_buffers(void **state)
{
	const struct guest_buf good = {DATA, 16, true};
	const struct guest_buf bad[] = {
		{DATA, 0, true},	     /* no bytes */
		{END, 1, false},	     /* behind RAM */
		{END - 1, 2, false},	     /* across its end */
		{UINT64_MAX - 3, 16, true},  /* wraps round */
		{0x1000, 0x1000, true},	     /* between two parts of RAM */
		{DATA, 0xffffffff, true},    /* more than there is */
		{0xe0000000, 0x1000, false}, /* a device's registers */
		{0x8000000000000000, 8, true},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct guest_buf second[2] = {good, bad[i]};

		bad_chain(&bad[i], 1);
		bad_chain(second, 2);
	}
	const struct guest_buf order[3] = {{DATA, 16, false}, {DATA, 16, true}, {DATA, 16, false}};
	bad_chain(order, 3);
}

/* 5000 buffers of 1 MiB: all in RAM, together more than 4 GiB. */
static void test_too_long(void **state)
{
	struct rig *rig = set_up(false, false, 16);
	static struct iovec iov[5001];
	uint64_t table = DATA;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		((struct vring_desc *)guest_ring_at(&rig->ring, table))[i] = (struct vring_desc){
			FAKE_RAM_GPA, FAKE_RAM / 2, VRING_DESC_F_NEXT, (uint16_t)(i + 1)};
	struct guest_buf buf = {table, 16 * 5000, false};
	guest_ring_add(&rig->ring, &buf, 1, false);
	desc(rig, 15)->flags = 0;
	for (unsigned i = 0; i < 16; i++)
		if (desc(rig, i)->addr == table)
			desc(rig, i)->flags = VRING_DESC_F_INDIRECT;
	assert_int_equal(vdev_virtq_pop(&rig->q, iov, ARRAY_SIZE(iov), &rig->chain), -EIO);
	assert_true(rig->chain.out_len <= UINT32_MAX);
	tear_down(rig);
}

static void test_too_many_parts(void **state)
{
	struct guest_buf buf[4] = {
		{DATA, 1, false}, {DATA, 1, false}, {DATA, 1, false}, {DATA, 1, true}};

	(void)state;
	for (unsigned variant = 0; variant < 4; variant++) {
		struct rig *rig = set_up(variant & 1, false, 16);

		guest_ring_add(&rig->ring, buf, 4, variant & 2);
		assert_int_equal(vdev_virtq_pop(&rig->q, rig->iov, 3, &rig->chain), -EIO);
		tear_down(rig);
	}
}

static unsigned head_of(struct rig *rig)
{
	uint16_t *ring = guest_ring_at(&rig->ring, rig->ring.driver);

	return ring[2 + (uint16_t)(rig->ring.next_avail - 1) % rig->ring.size];
}

static struct rig *one_chain(bool packed, bool indirect)
{
	struct rig *rig = set_up(packed, false, 16);
	struct guest_buf buf[3] = {{DATA, 16, false}, {DATA, 16, true}, {DATA, 16, true}};

	assert_true(guest_ring_add(&rig->ring, buf, 3, indirect) >= 0);
	return rig;
}

static void test_split_index(void **state)
{
	uint16_t *avail;
	struct rig *rig = one_chain(false, false);

	(void)state;
	avail = guest_ring_at(&rig->ring, rig->ring.driver);
	avail[1] = 17; /* one more than there can be */
	expect_broken(rig);
	rig = one_chain(false, false);
	avail = guest_ring_at(&rig->ring, rig->ring.driver);
	avail[1] = 0xffff; /* backwards */
	expect_broken(rig);
	rig = one_chain(false, false);
	avail = guest_ring_at(&rig->ring, rig->ring.driver);
	avail[2] = 16; /* a head outside the table */
	expect_broken(rig);
	rig = one_chain(false, false);
	desc(rig, head_of(rig))->next = 16;
	expect_broken(rig);
}

static void test_split_loop(void **state)
{
	struct rig *rig = one_chain(false, false);
	unsigned head = head_of(rig);

	(void)state;
	desc(rig, head)->next = (uint16_t)head;
	expect_broken(rig);
	rig = one_chain(false, true); /* inside a table */
	struct vring_desc *table = guest_ring_at(&rig->ring, desc(rig, head_of(rig))->addr);
	table[1].next = 1;
	expect_broken(rig);
	rig = one_chain(false, true);
	table = guest_ring_at(&rig->ring, desc(rig, head_of(rig))->addr);
	table[1].next = 3; /* behind its end */
	expect_broken(rig);
}

/* The same chain made available over and over, while the device still has it. */
static void test_split_again(void **state)
{
	struct rig *rig = one_chain(false, false);
	uint16_t *avail = guest_ring_at(&rig->ring, rig->ring.driver);
	uint16_t head = avail[2];

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		avail[2 + i] = head;
	avail[1] = 16;
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(pop(rig), 1);
	avail[1] = 17;
	expect_broken(rig);
}

static void test_packed_chain(void **state)
{
	struct rig *rig = set_up(true, false, 4);
	struct guest_buf buf[4] = {
		{DATA, 16, false}, {DATA, 16, true}, {DATA, 16, true}, {DATA, 16, true}};

	(void)state;
	guest_ring_add(&rig->ring, buf, 4, false);
	pdesc(rig, 3)->flags |= VRING_DESC_F_NEXT; /* it has no end */
	expect_broken(rig);

	rig = set_up(true, false, 4); /* longer than what is left of the ring */
	guest_ring_add(&rig->ring, buf, 3, false);
	assert_int_equal(pop(rig), 1);
	*pdesc(rig, 3) = (struct vring_packed_desc){.addr = DATA,
						    .len = 16,
						    .flags = 1u << VRING_PACKED_DESC_F_AVAIL |
							     VRING_DESC_F_NEXT};
	expect_broken(rig);
}

static void test_bad_tables(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		static const uint32_t bad_len[] = {0, 8, 47, 49};
		struct rig *rig;

		for (unsigned i = 0; i < ARRAY_SIZE(bad_len); i++) {
			rig = one_chain(packed, true);
			if (packed)
				pdesc(rig, 0)->len = bad_len[i];
			else
				desc(rig, head_of(rig))->len = bad_len[i];
			expect_broken(rig);
		}
		rig = one_chain(packed, true); /* a table in a table */
		uint64_t at = packed ? pdesc(rig, 0)->addr : desc(rig, head_of(rig))->addr;
		((uint16_t *)guest_ring_at(&rig->ring, at))[packed ? 15 : 14] |=
			VRING_DESC_F_INDIRECT;
		expect_broken(rig);
		rig = one_chain(packed, true); /* and one that goes on */
		if (packed)
			pdesc(rig, 0)->flags |= VRING_DESC_F_NEXT;
		else
			desc(rig, head_of(rig))->flags |= VRING_DESC_F_NEXT;
		expect_broken(rig);
		rig = one_chain(packed, true); /* not in RAM */
		if (packed)
			pdesc(rig, 0)->addr = END - 16;
		else
			desc(rig, head_of(rig))->addr = END - 16;
		expect_broken(rig);
		rig = one_chain(packed, true);
		rig->q.indirect = false; /* never negotiated */
		expect_broken(rig);
	}
}

static void test_bad_areas(void **state)
{
	struct rig *rig = set_up(false, false, 16);

	(void)state;
	rig->q.desc = END - 16;
	assert_int_equal(vdev_virtq_start(&rig->q), -EFAULT);
	rig->q.desc = rig->ring.desc + 8; /* not aligned */
	assert_int_equal(vdev_virtq_start(&rig->q), -EFAULT);
	rig->q.desc = rig->ring.desc;
	rig->q.device = UINT64_MAX - 3;
	assert_int_equal(vdev_virtq_start(&rig->q), -EFAULT);
	rig->q.device = BORDER - 4; /* in two RAM blocks */
	assert_int_equal(vdev_virtq_start(&rig->q), -EFAULT);
	rig->q.device = rig->ring.device;
	assert_int_equal(vdev_virtq_start(&rig->q), 0);
	tear_down(rig);
}

static void test_iov(void **state)
{
	char a[4] = "abc", b[6] = "defgh", out[16] = "";
	struct iovec iov[] = {{a, 3}, {b, 5}}, *at = iov;
	unsigned n = 2;

	(void)state;
	assert_int_equal(vdev_iov_len(iov, 2), 8);
	assert_int_equal(vdev_iov_read(iov, 2, 2, out, 4), 4);
	assert_string_equal(out, "cdef");
	assert_int_equal(vdev_iov_read(iov, 2, 6, out, 4), 2);
	assert_int_equal(vdev_iov_read(iov, 2, 9, out, 4), 0);
	assert_int_equal(vdev_iov_write(iov, 2, 1, "XYZ", 3), 3);
	assert_memory_equal(a, "aXY", 3);
	assert_memory_equal(b, "Zefgh", 5);
	vdev_iov_skip(&at, &n, 4);
	assert_int_equal(n, 1);
	assert_int_equal(at->iov_len, 4);
	vdev_iov_skip(&at, &n, 4);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turn_split),     cmocka_unit_test(test_turn_packed),
		cmocka_unit_test(test_across_blocks),  cmocka_unit_test(test_unpop),
		cmocka_unit_test(test_batch),	       cmocka_unit_test(test_suppression),
		cmocka_unit_test(test_kicks),	       cmocka_unit_test(test_saved),
		cmocka_unit_test(test_bad_buffers),    cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_too_many_parts), cmocka_unit_test(test_split_index),
		cmocka_unit_test(test_split_loop),     cmocka_unit_test(test_split_again),
		cmocka_unit_test(test_packed_chain),   cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_bad_areas),      cmocka_unit_test(test_iov),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
