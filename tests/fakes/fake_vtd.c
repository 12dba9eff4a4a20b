/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_vtd: see fake_vtd.h. */
#include "tests/fakes/fake_vtd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define FSTS_W1C (VTD_FSTS_PFO | VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)
#define RTADDR	 ((enum vtd_table_mode)(fake->root_in_use >> 10 & 3))

/* ---- chunks ---- */

static int grow(void *opaque, void **at, uint64_t *phys)
{
	struct fake_chunks *chunks = opaque;

	if (chunks->count == chunks->limit)
		return -ENOMEM;
	if (!chunks->arena)
		chunks->arena = aligned_alloc(VTD_CHUNK, ARRAY_SIZE(chunks->at) * VTD_CHUNK);
	chunks->at[chunks->count] = memset(chunks->arena + chunks->count * VTD_CHUNK, 0, VTD_CHUNK);
	*at = chunks->at[chunks->count];
	*phys = FAKE_CHUNKS_BASE + chunks->count++ * VTD_CHUNK;
	return 0;
}

static int find(void *opaque, const void *at, uint64_t *phys)
{
	const struct fake_chunks *chunks = opaque;

	for (size_t i = 0; i < chunks->count; i++)
		if (chunks->at[i] == at) {
			*phys = FAKE_CHUNKS_BASE + i * VTD_CHUNK + chunks->moved;
			return 0;
		}
	return -EFAULT;
}

static void release(void *opaque, void *at)
{
	struct fake_chunks *chunks = opaque;

	(void)at;
	if (++chunks->released == chunks->count)
		free(chunks->arena);
}

void fake_chunks_init(struct fake_chunks *chunks)
{
	*chunks = (struct fake_chunks){
		.source = {grow, find, release, chunks},
		.limit = ARRAY_SIZE(chunks->at),
	};
}

/* ---- queue ---- */

static bool forgets(const struct vtd_inv *inv, const struct fake_iotlb *entry)
{
	uint64_t size = UINT64_C(4096) << inv->mask;

	switch (inv->scope) {
	case VTD_SCOPE_GLOBAL:
		return true;
	case VTD_SCOPE_PAGES:
		return entry->domain == inv->domain && entry->iova >= inv->address &&
		       entry->iova < inv->address + size;
	default:
		return entry->domain == inv->domain;
	}
}

static void forget_iotlb(struct fake_vtd *fake, const struct vtd_inv *inv, bool first_only)
{
	for (size_t i = 0; i < ARRAY_SIZE(fake->iotlb); i++) {
		struct fake_iotlb *entry = &fake->iotlb[i];
		/* Each kind of invalidation reaches its own stage. */
		if (entry->known && (!first_only || entry->first) && forgets(inv, entry) &&
		    (first_only || !entry->first || inv->scope != VTD_SCOPE_PAGES))
			entry->known = false;
	}
}

static void forget_contexts(struct fake_vtd *fake, const struct vtd_inv *inv)
{
	for (size_t i = 0; i < ARRAY_SIZE(fake->contexts); i++) {
		struct fake_context *context = &fake->contexts[i];
		if (inv->scope == VTD_SCOPE_GLOBAL ||
		    (context->domain == inv->domain &&
		     (inv->scope == VTD_SCOPE_DOMAIN || i == inv->source)))
			context->known = false;
	}
}

static void execute(struct fake_vtd *fake, const struct vtd_inv *inv)
{
	switch (inv->type) {
	case VTD_INV_CONTEXT:
		forget_contexts(fake, inv);
		break;
	case VTD_INV_IOTLB:
		forget_iotlb(fake, inv, false);
		break;
	case VTD_INV_PASID_IOTLB:
		forget_iotlb(fake, inv, true);
		break;
	case VTD_INV_INTERRUPT:
		for (unsigned i = 0; i < ARRAY_SIZE(fake->irte_known); i++)
			if (inv->scope == VTD_SCOPE_GLOBAL ||
			    i >> inv->mask == (unsigned)inv->index >> inv->mask)
				fake->irte_known[i] = false;
		break;
	case VTD_INV_WAIT:
		fake->fsts |= fake->error_at_wait;
		if (fake->error_at_wait & VTD_FSTS_ITE)
			fake->iqercd = UINT64_C(0x0108) << 32;
		fake->error_at_wait = 0;
		if (inv->write_status && !fake->silent)
			*(uint32_t *)vtd_mem_at(fake->mem, inv->address) = inv->status;
		break;
	default:
		break;
	}
}

static void work(struct fake_vtd *fake)
{
	unsigned size = fake->iqa & VTD_IQA_DW ? 32 : 16;

	while (fake->gsts & VTD_GS_QIE && fake->iqh != fake->iqt && !(fake->fsts & VTD_FSTS_IQE)) {
		const char *queue = vtd_mem_at(fake->mem, fake->iqa & ~UINT64_C(0xfff));
		struct vtd_inv_raw raw = {{0}};
		struct vtd_inv inv;
		memcpy(&raw, queue + fake->iqh, size);
		if (vtd_inv_decode(&raw, &inv) || inv.type == fake->refuse) {
			fake->refuse = 0;
			fake->iqercd = 3;
			fake->fsts |= VTD_FSTS_IQE;
			return;
		}
		if (fake->log_count < ARRAY_SIZE(fake->log))
			fake->log[fake->log_count++] = inv;
		execute(fake, &inv);
		fake->iqh = (fake->iqh + size) % 4096;
	}
}

/* ---- registers ---- */

static uint32_t fault_status(const struct fake_vtd *fake)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fake->records); i++)
		if (fake->records[i].hi >> 63)
			return fake->fsts | VTD_FSTS_PPF | i << 8;
	return fake->fsts;
}

static uint32_t read32(void *opaque, unsigned reg)
{
	const struct fake_vtd *fake = opaque;

	switch (reg) {
	case VTD_VER:
		return 0x10;
	case VTD_GSTS:
		return fake->gsts;
	case VTD_FSTS:
		return fault_status(fake);
	case VTD_PMEN:
		return fake->pmen;
	default:
		return 0;
	}
}

static uint64_t read64(void *opaque, unsigned reg)
{
	const struct fake_vtd *fake = opaque;
	struct vtd_cap cap;

	vtd_cap_decode(fake->cap, &cap);
	if (reg >= cap.fault_offset) {
		const struct vtd_fault_raw *record = &fake->records[(reg - cap.fault_offset) / 16];
		return reg % 16 ? record->hi : record->lo;
	}
	switch (reg) {
	case VTD_CAP:
		return fake->cap;
	case VTD_ECAP:
		return fake->ecap;
	case VTD_IQH:
		return fake->iqh;
	case VTD_IQERCD:
		return fake->iqercd;
	default:
		return 0;
	}
}

static void command(struct fake_vtd *fake, uint32_t value)
{
	uint32_t lasting = (VTD_GS_TE | VTD_GS_QIE | VTD_GS_IRE | VTD_GS_CFI) & ~fake->stuck;

	fake->gsts = (fake->gsts & ~lasting) | (value & lasting);
	if (value & VTD_GS_RTP & ~fake->stuck) {
		fake->root_in_use = fake->rtaddr;
		fake->gsts |= VTD_GS_RTP;
	}
	if (value & VTD_GS_IRTP & ~fake->stuck) {
		fake->irta_in_use = fake->irta;
		fake->gsts |= VTD_GS_IRTP;
	}
	if (value & VTD_GS_WBF) {
		fake->write_flushes++;
		fake->gsts |= VTD_GS_WBF & fake->stuck;
	}
}

static void write32(void *opaque, unsigned reg, uint32_t value)
{
	struct fake_vtd *fake = opaque;

	if (reg == VTD_GCMD)
		command(fake, value);
	if (reg == VTD_FSTS)
		fake->fsts &= ~(value & FSTS_W1C);
	if (reg == VTD_PMEN && !(fake->stuck & 1))
		fake->pmen = value & 1u << 31 ? value : 0;
	work(fake);
}

static void write64(void *opaque, unsigned reg, uint64_t value)
{
	struct fake_vtd *fake = opaque;
	struct vtd_cap cap;

	vtd_cap_decode(fake->cap, &cap);
	if (reg >= cap.fault_offset && value >> 63)
		fake->records[(reg - cap.fault_offset) / 16].hi &= ~(UINT64_C(1) << 63);
	if (reg == VTD_RTADDR)
		fake->rtaddr = value;
	if (reg == VTD_IQA) {
		fake->iqa = value;
		fake->iqh = 0;
	}
	if (reg == VTD_IRTA)
		fake->irta = value;
	if (reg == VTD_IQT)
		fake->iqt = value;
	work(fake);
}

void fake_vtd_init(struct fake_vtd *fake, struct vtd_mem *mem, uint64_t cap, uint64_t ecap)
{
	memset(fake, 0, sizeof(*fake));
	fake->io = (struct vtd_io){read32, read64, write32, write64, fake};
	fake->mem = mem;
	fake->cap = cap;
	fake->ecap = ecap;
}

/* ---- requests ---- */

static uint8_t record(struct fake_vtd *fake, const struct vtd_fault *fault)
{
	for (size_t i = 0; i < ARRAY_SIZE(fake->records); i++)
		if (!(fake->records[i].hi >> 63)) {
			fake->records[i] = vtd_fault_encode(fault);
			return fault->reason;
		}
	fake->fsts |= VTD_FSTS_PFO;
	return fault->reason;
}

static void read_pasid(struct fake_vtd *fake, const struct vtd_scontext *scontext,
		       struct fake_context *out)
{
	const uint64_t *directory = vtd_mem_at(fake->mem, scontext->directory);
	struct vtd_pasid_dir dir;
	struct vtd_pasid pasid;

	out->fault = 0x51;
	if (vtd_pasid_dir_decode(directory[0], &dir) || !dir.present)
		return;
	const struct vtd_pasid_raw *table = vtd_mem_at(fake->mem, dir.table);
	out->fault = 0x59;
	if (vtd_pasid_decode(&table[0], &pasid) || !pasid.present)
		return;
	out->fault = 0;
	out->domain = pasid.domain;
	out->first = pasid.type == VTD_PGTT_FIRST_STAGE;
	out->pass_through = pasid.type == VTD_PGTT_PASS_THROUGH;
	out->levels = out->first ? pasid.first_levels : pasid.second_levels;
	out->root = out->first ? pasid.first_table : pasid.second_table;
}

static void read_legacy(const struct vtd_context_raw *raw, struct fake_context *out)
{
	struct vtd_context context;

	out->fault = 0x02;
	if (vtd_context_decode(raw, &context) || !context.present)
		return;
	out->fault = 0;
	out->domain = context.domain;
	out->pass_through = context.type == VTD_TT_PASS_THROUGH;
	out->levels = context.levels;
	out->root = context.table;
}

static struct fake_context read_context(struct fake_vtd *fake, uint16_t source)
{
	const struct vtd_root_raw *table =
		vtd_mem_at(fake->mem, fake->root_in_use & ~UINT64_C(0xfff));
	bool scalable = RTADDR == VTD_MODE_SCALABLE;
	struct fake_context out = {.fault = scalable ? 0x39 : 0x01};
	unsigned devfn = source & 0xff;
	struct vtd_root root;

	if (vtd_root_decode(&table[source >> 8], RTADDR, &root))
		return out;
	if (!scalable) {
		if (root.lower_present)
			read_legacy((struct vtd_context_raw *)vtd_mem_at(fake->mem, root.lower) +
					    devfn,
				    &out);
		return out;
	}
	bool upper = devfn >= 128;
	struct vtd_scontext scontext;
	if (upper ? !root.upper_present : !root.lower_present)
		return out;
	const struct vtd_scontext_raw *entries =
		vtd_mem_at(fake->mem, upper ? root.upper : root.lower);
	out.fault = 0x41;
	if (!vtd_scontext_decode(&entries[devfn % 128], &scontext) && scontext.present)
		read_pasid(fake, &scontext, &out);
	return out;
}

static const struct fake_context *context_of(struct fake_vtd *fake, uint16_t source)
{
	struct fake_context *cached = &fake->contexts[source];

	if (cached->known)
		return cached;
	*cached = read_context(fake, source);
	/* Absence is remembered with caching mode alone, as domain 0's. */
	cached->known = !cached->fault || fake->cap & FAKE_CM;
	if (cached->fault)
		cached->domain = 0;
	return cached;
}

static struct fake_iotlb read_table(struct fake_vtd *fake, const struct fake_context *context,
				    uint64_t iova)
{
	const struct pagetable_format format =
		context->first ? vtd_first_stage(context->levels, 46, UINT64_MAX, 0)
			       : vtd_second_stage(context->levels, 46, UINT64_MAX, 0);
	struct pagetable view = pagetable_view(&format, vtd_mem_tables(fake->mem), context->root);
	struct fake_iotlb entry = {
		.domain = context->domain, .iova = iova, .first = context->first};
	struct pagetable_trouble trouble;
	struct pagetable_span span;

	if (pagetable_lookup(&view, iova, &span, &trouble) < 0)
		return entry;
	entry.present = true;
	entry.phys = span.phys + (iova - span.iova);
	entry.attrs = span.attrs;
	return entry;
}

static const struct fake_iotlb *iotlb_of(struct fake_vtd *fake, const struct fake_context *context,
					 uint64_t iova)
{
	for (size_t i = 0; i < ARRAY_SIZE(fake->iotlb); i++)
		if (fake->iotlb[i].known && fake->iotlb[i].domain == context->domain &&
		    fake->iotlb[i].iova == iova)
			return &fake->iotlb[i];
	struct fake_iotlb *entry = &fake->iotlb[fake->iotlb_next++ % ARRAY_SIZE(fake->iotlb)];
	*entry = read_table(fake, context, iova);
	entry->known = entry->present || fake->cap & FAKE_CM;
	return entry;
}

uint8_t fake_vtd_dma(struct fake_vtd *fake, uint16_t source, uint64_t iova, bool write,
		     uint64_t *phys)
{
	uint64_t page = ALIGN_DOWN(iova, UINT64_C(4096));
	struct vtd_fault fault = {
		.fault = true,
		.address = page,
		.source = source,
		.request = write ? VTD_REQUEST_WRITE : VTD_REQUEST_READ,
	};

	*phys = iova;
	if (!(fake->gsts & VTD_GS_TE))
		return 0;
	const struct fake_context *context = context_of(fake, source);
	fault.reason = context->fault;
	if (context->fault)
		return record(fake, &fault);
	if (context->pass_through)
		return 0;
	const struct fake_iotlb *entry = iotlb_of(fake, context, page);
	if (entry->present && entry->attrs & (write ? PAGETABLE_WRITE : PAGETABLE_READ)) {
		*phys = entry->phys + (iova - page);
		return 0;
	}
	if (RTADDR == VTD_MODE_SCALABLE)
		fault.reason = context->first ? 0x71 : 0x79;
	else
		fault.reason = write ? 0x05 : 0x06;
	return record(fake, &fault);
}

uint8_t fake_vtd_interrupt(struct fake_vtd *fake, uint16_t source, unsigned index, uint8_t *vector)
{
	struct vtd_fault fault = {.fault = true, .source = source, .index = (uint16_t)index};
	struct vtd_irta irta;

	vtd_irta_decode(fake->irta_in_use, &irta);
	if (index >= irta.entries) {
		fault.reason = 0x21;
		return record(fake, &fault);
	}
	const struct vtd_irte_raw *table = vtd_mem_at(fake->mem, irta.table);
	struct vtd_irte *irte = &fake->irtes[index];
	if (!fake->irte_known[index])
		vtd_irte_decode(&table[index], irte);
	fake->irte_known[index] = irte->present || fake->cap & FAKE_CM;
	if (!irte->present || !vtd_irte_accepts(irte, source)) {
		fault.reason = irte->present ? 0x26 : 0x22;
		return record(fake, &fault);
	}
	*vector = irte->vector;
	return 0;
}
