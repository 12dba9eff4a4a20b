/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_queue: queued invalidation (VT-d 6.5.2).
 *
 *     head, the unit's ─►│ IOTLB │ context │ wait │ ◄─ tail, ours      status: number of the last
 * wait
 *
 * Every run ends with a wait descriptor that has the unit write a number; we poll for it. An error
 * stops the unit at the descriptor it dislikes until we clear it, so that one is replaced by a
 * harmless one first (6.5.2.10).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_priv.h"

#define RUN_MAX	   8u
#define FSTS_QUEUE (VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)

/* IQERCD bits 3:0, where a unit has them (11.4.9.9). */
static const char *queue_reason(unsigned code)
{
	static const char *const reasons[] = {
		"no reason given",
		"the tail of the queue is invalid",
		"the descriptor cannot be read",
		"a type that the unit does not know",
		"reserved bits are set",
		"descriptors of this width do not go with the table mode",
		"the tail of the queue is not aligned",
		"the table mode is invalid",
	};

	return code < ARRAY_SIZE(reasons) ? reasons[code] : "a reason without a name";
}

static char *slot(const struct vtd_queue *queue, unsigned offset)
{
	return queue->at + offset % VTD_PAGE;
}

/* What stands in the queue at `offset`. */
static struct vtd_inv_raw slot_read(const struct vtd_queue *queue, unsigned offset)
{
	struct vtd_inv_raw raw = {{0}};

	memcpy(&raw, slot(queue, offset), queue->descriptor);
	return raw;
}

static void slot_write(struct vtd_unit *unit, unsigned offset, const struct vtd_inv_raw *raw)
{
	memcpy(slot(&unit->queue, offset), raw, unit->queue.descriptor);
	vtd_mem_flush(unit->config.mem, slot(&unit->queue, offset), unit->queue.descriptor);
}

static int put(struct vtd_unit *unit, const struct vtd_inv *inv)
{
	struct vtd_inv_raw raw;
	int err = vtd_inv_encode(inv, &raw);

	if (err)
		return log_fail(err, unit->name, "%s: does not fit its descriptor",
				vtd_inv_name(inv->type));
	slot_write(unit, unit->queue.tail, &raw);
	unit->queue.tail = (unit->queue.tail + unit->queue.descriptor) % VTD_PAGE;
	return 0;
}

/* ---- errors ---- */

static int on_queue_error(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;
	unsigned head = (unsigned)(io->read64(io->opaque, VTD_IQH) & bits_mask(18, 4));
	unsigned code = (unsigned)bits_get(io->read64(io->opaque, VTD_IQERCD), 3, 0);
	struct vtd_inv_raw raw = slot_read(&unit->queue, head);
	const struct vtd_inv harmless = {.type = VTD_INV_WAIT};
	struct vtd_inv inv;
	const char *why = vtd_inv_decode(&raw, &inv);

	log_error(unit->name, "invalidation queue error (IQE) at %s: %s", vtd_inv_name(inv.type),
		  why ? why : queue_reason(code));
	if (vtd_inv_encode(&harmless, &raw) == 0)
		slot_write(unit, head, &raw);
	return -EIO;
}

/* "01:02.3", of a requester id in IQERCD at `low`; 0 there is a unit that does not tell. */
#define REQUESTER_TEXT 24
static char *requester(const struct vtd_unit *unit, unsigned low, char text[REQUESTER_TEXT])
{
	const struct vtd_io *io = &unit->config.io;
	unsigned id = (unsigned)bits_get(io->read64(io->opaque, VTD_IQERCD), low + 15, low);

	if (id)
		snprintf(text, REQUESTER_TEXT, "%02x:%02x.%u", id >> 8, id >> 3 & 31, id & 7);
	else
		snprintf(text, REQUESTER_TEXT, "an unnamed device");
	return text;
}

/* Only a device TLB times out, and none is in use here; nothing is known about what was done. */
static int on_timeout(struct vtd_unit *unit)
{
	char text[REQUESTER_TEXT];

	unit->broken = true;
	return log_fail(-ETIMEDOUT, unit->name, "invalidation time-out (ITE): %s does not answer",
			requester(unit, 32, text));
}

static int on_completion_error(const struct vtd_unit *unit)
{
	char text[REQUESTER_TEXT];

	return log_fail(-EIO, unit->name,
			"invalidation completion error (ICE): %s answered what was not asked",
			requester(unit, 48, text));
}

static int on_error(struct vtd_unit *unit, uint32_t fsts)
{
	const struct vtd_io *io = &unit->config.io;
	int err = 0;

	if (fsts & VTD_FSTS_IQE)
		err = on_queue_error(unit);
	if (fsts & VTD_FSTS_ICE)
		err = on_completion_error(unit);
	if (fsts & VTD_FSTS_ITE)
		err = on_timeout(unit);
	io->write32(io->opaque, VTD_FSTS, fsts & FSTS_QUEUE); /* goes on from here */
	return err;
}

/* ---- running ---- */

static int await(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;
	uint64_t deadline = vtd_now_ms() + unit->config.timeout_ms;
	int result = 0;

	for (;;) {
		bool done = *unit->queue.status == unit->queue.number;
		/* Looked at when it is done, too: an error may have come before. */
		uint32_t fsts = io->read32(io->opaque, VTD_FSTS);
		if (fsts & FSTS_QUEUE)
			result = on_error(unit, fsts);
		if (done || unit->broken)
			return result;
		if (vtd_now_ms() > deadline) {
			unit->broken = true;
			return log_fail(-ETIMEDOUT, unit->name,
					"no answer to an invalidation within %u ms; the unit is "
					"given up",
					unit->config.timeout_ms);
		}
		__builtin_ia32_pause();
	}
}

int vtd_queue_run(struct vtd_unit *unit, const struct vtd_inv *list, size_t count)
{
	const struct vtd_io *io = &unit->config.io;
	struct vtd_queue *queue = &unit->queue;
	int err = 0;

	if (unit->broken)
		return log_fail(-EIO, unit->name, "given up after an earlier error");
	if (count > RUN_MAX)
		return -EINVAL;
	unsigned start = queue->tail;
	for (size_t i = 0; i < count && !err; i++)
		err = put(unit, &list[i]);
	const struct vtd_inv wait = {
		.type = VTD_INV_WAIT,
		.write_status = true,
		.fence = true,
		.status = queue->number + 1,
		.address = queue->status_phys,
	};
	if (!err)
		err = put(unit, &wait);
	if (err) {
		queue->tail = start; /* nothing was submitted */
		return err;
	}
	queue->number++;
	io->write64(io->opaque, VTD_IQT, queue->tail);
	return await(unit);
}

/* ---- start and end ---- */

int vtd_queue_start(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;
	struct vtd_queue *queue = &unit->queue;
	uint64_t wide = unit->config.scalable ? VTD_IQA_DW : 0;

	queue->descriptor = wide ? 32 : 16;
	queue->at = vtd_mem_alloc(unit->config.mem, 1, &queue->phys);
	queue->status = vtd_mem_alloc(unit->config.mem, 1, &queue->status_phys);
	if (!queue->at || !queue->status)
		return -ENOMEM;
	vtd_mem_flush(unit->config.mem, queue->at, VTD_PAGE);
	/* The tail is cleared while the queue is off; the head follows by itself (6.5.2). */
	io->write64(io->opaque, VTD_IQT, 0);
	io->write64(io->opaque, VTD_IQA, queue->phys | wide); /* QS 0: one page */
	return vtd_command(io, unit->name, unit->config.timeout_ms, VTD_GS_QIE, true);
}

void vtd_queue_finish(struct vtd_unit *unit)
{
	if (unit->queue.at)
		vtd_mem_free(unit->config.mem, unit->queue.phys, 1);
	if (unit->queue.status)
		vtd_mem_free(unit->config.mem, unit->queue.status_phys, 1);
}
