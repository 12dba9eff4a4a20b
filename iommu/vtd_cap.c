/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_cap: what a unit can do, from its two capability registers (VT-d chapter 11.4: CAP, ECAP). */
#include <stdio.h>

#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_format.h"

void vtd_cap_decode(uint64_t raw, struct vtd_cap *out)
{
	*out = (struct vtd_cap){
		.domains = 1u << (4 + 2 * bits_get(raw, 2, 0)),
		.write_buffer_flush = bit_get(raw, 4),
		.protected_low = bit_get(raw, 5),
		.protected_high = bit_get(raw, 6),
		.caching_mode = bit_get(raw, 7),
		.agaw = (unsigned)bits_get(raw, 12, 8),
		.guest_width = (unsigned)bits_get(raw, 21, 16) + 1,
		.zero_length_read = bit_get(raw, 22),
		.fault_offset = (unsigned)bits_get(raw, 33, 24) * 16,
		.second_2m = bit_get(raw, 34),
		.second_1g = bit_get(raw, 35),
		.page_selective = bit_get(raw, 39),
		.fault_records = (unsigned)bits_get(raw, 47, 40) + 1,
		.max_mask = (unsigned)bits_get(raw, 53, 48),
		.drain_writes = bit_get(raw, 54),
		.drain_reads = bit_get(raw, 55),
		.first_1g = bit_get(raw, 56),
		.posted_interrupts = bit_get(raw, 59),
		.first_5_levels = bit_get(raw, 60),
		.self_flush_irtp = bit_get(raw, 62),
		.self_flush_rtp = bit_get(raw, 63),
	};
}

void vtd_ecap_decode(uint64_t raw, struct vtd_ecap *out)
{
	bool pasid = bit_get(raw, 40);

	*out = (struct vtd_ecap){
		.coherent = bit_get(raw, 0),
		.queued = bit_get(raw, 1),
		.device_tlb = bit_get(raw, 2),
		.interrupt_remapping = bit_get(raw, 3),
		.x2apic = bit_get(raw, 4),
		.pass_through = bit_get(raw, 6),
		.snoop_control = bit_get(raw, 7),
		.iotlb_offset = (unsigned)bits_get(raw, 17, 8) * 16,
		.max_handle_mask = (unsigned)bits_get(raw, 23, 20),
		.memory_type = bit_get(raw, 25),
		.nested = bit_get(raw, 26),
		.page_requests = bit_get(raw, 29),
		.execute = bit_get(raw, 30),
		.supervisor = bit_get(raw, 31),
		.no_write_flag = bit_get(raw, 33),
		.extended_accessed = bit_get(raw, 34),
		.pasid_bits = pasid ? (unsigned)bits_get(raw, 39, 35) + 1 : 0,
		.device_tlb_throttle = bit_get(raw, 41),
		.page_drain = bit_get(raw, 42),
		.scalable = bit_get(raw, 43),
		.virtual_command = bit_get(raw, 44),
		.second_accessed_dirty = bit_get(raw, 45),
		.second_stage = bit_get(raw, 46),
		.first_stage = bit_get(raw, 47),
		.scalable_coherent = bit_get(raw, 48),
		.rid_pasid = bit_get(raw, 49),
		.abort_mode = bit_get(raw, 52),
	};
}

/* ---- in words ---- */

struct words {
	vtd_words_fn line;
	void *opaque;
};

static void flag(const struct words *w, const char *field, const char *what, bool value)
{
	w->line(w->opaque, field, what, value ? "yes" : "no");
}

static void number(const struct words *w, const char *field, const char *what, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	w->line(w->opaque, field, what, text);
}

/* "4K 2M 1G" */
static void sizes(const struct words *w, const char *field, const char *what, bool two_m,
		  bool one_g)
{
	char text[16];

	snprintf(text, sizeof(text), "4K%s%s", two_m ? " 2M" : "", one_g ? " 1G" : "");
	w->line(w->opaque, field, what, text);
}

void vtd_cap_words(const struct vtd_cap *cap, vtd_words_fn line, void *opaque)
{
	const struct words w = {line, opaque};
	char levels[16];

	snprintf(levels, sizeof(levels), "%s%s%s", cap->agaw & 2 ? "3 " : "",
		 cap->agaw & 4 ? "4 " : "", cap->agaw & 8 ? "5 " : "");
	number(&w, "ND", "domain ids", cap->domains);
	flag(&w, "RWBF", "write buffers must be flushed", cap->write_buffer_flush);
	flag(&w, "PLMR", "protected low memory", cap->protected_low);
	flag(&w, "PHMR", "protected high memory", cap->protected_high);
	flag(&w, "CM", "absent entries are cached (an emulated unit)", cap->caching_mode);
	w.line(w.opaque, "SAGAW", "levels of a second-stage table", levels);
	number(&w, "MGAW", "bits of an I/O address", cap->guest_width);
	flag(&w, "ZLR", "reads of length zero", cap->zero_length_read);
	number(&w, "NFR", "fault records", cap->fault_records);
	sizes(&w, "SSLPS", "second-stage pages", cap->second_2m, cap->second_1g);
	flag(&w, "PSI", "invalidation by page", cap->page_selective);
	number(&w, "MAMV", "largest page mask of an invalidation", cap->max_mask);
	flag(&w, "DWD", "drains writes", cap->drain_writes);
	flag(&w, "DRD", "drains reads", cap->drain_reads);
	sizes(&w, "FS1GP", "first-stage pages", true, cap->first_1g);
	flag(&w, "FS5LP", "first-stage tables of 5 levels", cap->first_5_levels);
	flag(&w, "PI", "posted interrupts", cap->posted_interrupts);
	flag(&w, "ESIRTPS", "a new interrupt table empties its cache", cap->self_flush_irtp);
	flag(&w, "ESRTPS", "a new root table empties the caches", cap->self_flush_rtp);
}

void vtd_ecap_words(const struct vtd_ecap *ecap, vtd_words_fn line, void *opaque)
{
	const struct words w = {line, opaque};

	flag(&w, "C", "snoops its tables", ecap->coherent);
	flag(&w, "QI", "queued invalidation", ecap->queued);
	flag(&w, "DT", "device TLBs", ecap->device_tlb);
	flag(&w, "IR", "interrupt remapping", ecap->interrupt_remapping);
	flag(&w, "EIM", "32-bit APIC identities", ecap->x2apic);
	flag(&w, "PT", "pass-through entries", ecap->pass_through);
	flag(&w, "SC", "snoop control", ecap->snoop_control);
	flag(&w, "MTS", "memory types", ecap->memory_type);
	flag(&w, "NEST", "nested translation", ecap->nested);
	flag(&w, "PRS", "page requests", ecap->page_requests);
	flag(&w, "ERS", "execute requests", ecap->execute);
	flag(&w, "SRS", "supervisor requests", ecap->supervisor);
	flag(&w, "NWFS", "no-write flag", ecap->no_write_flag);
	flag(&w, "EAFS", "extended accessed flag", ecap->extended_accessed);
	number(&w, "PSS", "bits of a PASID", ecap->pasid_bits);
	flag(&w, "DIT", "device-TLB throttling", ecap->device_tlb_throttle);
	flag(&w, "PDS", "page-request draining", ecap->page_drain);
	flag(&w, "SMTS", "scalable mode", ecap->scalable);
	flag(&w, "VCS", "virtual commands", ecap->virtual_command);
	flag(&w, "SSADS", "second-stage accessed and dirty", ecap->second_accessed_dirty);
	flag(&w, "SSTS", "second stage in scalable mode", ecap->second_stage);
	flag(&w, "FSTS", "first stage in scalable mode", ecap->first_stage);
	flag(&w, "SMPWCS", "scalable mode: snoops page tables", ecap->scalable_coherent);
	flag(&w, "RPS", "PASID of requests without one", ecap->rid_pasid);
	flag(&w, "ADMS", "abort mode", ecap->abort_mode);
}
