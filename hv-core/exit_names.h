/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exit_names: why a processor left a guest, in the words of its own manual: VMX basic exit reasons
 * (SDM vol. 3, appendix C) and SVM exit codes (APM vol. 2, appendix C). Part of the boundary,
 * through hv.h. Pure.
 */
#ifndef HV_CORE_EXIT_NAMES_H
#define HV_CORE_EXIT_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "hv-core/caps.h"

#define HV_EXIT_NAME_MAX 40

/* "EPT violation", "VMEXIT_NPF"; "reason 99" for one that no table has. Returns `name`. */
const char *hv_exit_code_name(enum hv_caps_kind kind, uint32_t code, char name[HV_EXIT_NAME_MAX]);

/* A number of KVM's that counts exits of one reason, or some of them. */
struct hv_exit_number {
	const char *number; /* "halt_exits" */
	uint32_t vmx, svm;
	const char *note; /* NULL: all of them */
};

/* The table of those; *count how many. */
const struct hv_exit_number *hv_exit_numbers(size_t *count);

#endif
