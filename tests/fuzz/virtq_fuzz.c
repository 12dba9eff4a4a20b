/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any memory as a virtqueue: the input is the ring's areas and tables, then what is done. Whatever
 * comes out of pop lies in RAM and within its bounds; whatever is written stays in the used areas.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "tests/fakes/fake_hv.h"
#include "vdev/virtq.h"

#define AREA 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_iov(const struct hv_vm *vm, const struct iovec *iov, unsigned count, uint64_t len)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *at = iov[i].iov_base;
		bool inside = false;

		for (size_t b = 0; b < vm->blocks; b++) {
			const uint8_t *start = vm->block[b].hva;

			inside |= at >= start && at + iov[i].iov_len <= start + vm->block[b].size;
		}
		if (!inside || !iov[i].iov_len)
			abort();
		sum += iov[i].iov_len;
	}
	if (sum != len)
		abort();
}

/* Keeps up to four chains, and gives back the one that the input says. */
static void work(struct vdev_virtq *q, const uint8_t *steps, size_t count)
{
	struct iovec iov[4][40];
	struct vdev_virtq_chain kept[4];
	unsigned held = 0;

	for (size_t i = 0; i < count; i++) {
		if ((steps[i] & 3) == 0 && held < 4) {
			/* the iovecs of a kept chain stay where they are */
			if (vdev_virtq_pop(q, iov[held], 40, &kept[held]) <= 0)
				continue;
			check_iov(q->vm, kept[held].out, kept[held].outs, kept[held].out_len);
			check_iov(q->vm, kept[held].in, kept[held].ins, kept[held].in_len);
			held++;
		} else if ((steps[i] & 3) == 1 && held) {
			vdev_virtq_push(q, &kept[--held], steps[i]);
		} else if ((steps[i] & 3) == 2 && held && steps[i] & 4) {
			vdev_virtq_unpop(q, &kept[--held]);
		} else {
			vdev_virtq_notify(q);
			vdev_virtq_kick_off(q);
			vdev_virtq_kick_on(q);
		}
		if (q->in_flight > q->size)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vdev_virtq q = {.name = "fuzz", .complained = true};

	if (size < 16)
		return 0;
	struct hv_vm *vm = fake_hv_create();
	fake_hv_add_ram(vm);
	atomic_store(&q.call_fd, -1);
	vdev_virtq_reset(&q);
	q.vm = vm;
	q.packed = data[0] & 1;
	q.event_idx = data[0] & 2;
	q.indirect = data[0] & 4;
	q.size = (uint16_t)(q.packed ? 1 + data[1] % 64 : 1u << (data[1] % 7));
	q.desc = FAKE_RAM_GPA;
	q.driver = FAKE_RAM_GPA + AREA;
	q.device = FAKE_RAM_GPA + 2 * AREA;
	if (!q.packed) /* any index is one, so begin where the fuzzer says */
		q.next_avail = q.next_used = (uint16_t)(data[2] | data[3] << 8);
	size_t steps = MIN((size_t)data[4], size - 16);
	memcpy(vm->block[1].hva, data + 16 + steps, MIN(size - 16 - steps, (size_t)(4 * AREA)));
	if (vdev_virtq_start(&q) == 0)
		work(&q, data + 16, steps);
	fake_hv_destroy(vm);
	return 0;
}
