/* SPDX-License-Identifier: BSD-3-Clause */
/* caps_read: where the numbers come from: the msr module's device, CPUID, or a text. */
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hv-core/caps.h"

#define LEAF_SVM 0x8000000au

int hv_caps_read_msrs(int fd, struct hv_caps_raw *out)
{
	*out = (struct hv_caps_raw){.kind = HV_CAPS_VMX};
	for (unsigned i = 0; i < HV_CAPS_VMX_COUNT; i++) {
		ssize_t n = pread(fd, &out->vmx[i], sizeof(out->vmx[i]), HV_CAPS_VMX_FIRST + i);

		if (n != sizeof(out->vmx[i]))
			out->vmx[i] = 0; /* EIO: this processor has no such register */
		if (i == 0 && out->vmx[0] == 0)
			return -EIO;
	}
	return 0;
}

void hv_caps_read_cpuid(struct hv_caps_raw *out)
{
	unsigned a, b, c, d;

	*out = (struct hv_caps_raw){0};
	if (__get_cpuid(1, &a, &b, &c, &d) && c & 1u << 5) /* SDM vol. 2, CPUID: VMX */
		out->kind = HV_CAPS_VMX;
	if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(c & 1u << 2)) /* APM vol. 3, E.4.2: SVM */
		return;
	if (__get_cpuid(LEAF_SVM, &a, &b, &c, &d))
		*out = (struct hv_caps_raw){
			.kind = HV_CAPS_SVM, .svm_eax = a, .svm_ebx = b, .svm_edx = d};
}

static int parse_line(const char *text, struct hv_caps_raw *out)
{
	unsigned long long value;
	unsigned index;
	int end = 0;

	if (sscanf(text, " svm %x %x %x %n", &out->svm_eax, &out->svm_ebx, &out->svm_edx, &end) ==
		    3 &&
	    text[end] == '\0' && out->kind != HV_CAPS_VMX) {
		out->kind = HV_CAPS_SVM;
		return 0;
	}
	end = 0;
	if (sscanf(text, " %x %llx %n", &index, &value, &end) != 2 || text[end] ||
	    index < HV_CAPS_VMX_FIRST || index >= HV_CAPS_VMX_FIRST + HV_CAPS_VMX_COUNT ||
	    out->kind == HV_CAPS_SVM)
		return -EINVAL;
	out->kind = HV_CAPS_VMX;
	out->vmx[index - HV_CAPS_VMX_FIRST] = value;
	return 0;
}

int hv_caps_parse(const char *text, struct hv_caps_raw *out, unsigned *line)
{
	char one[128];

	*out = (struct hv_caps_raw){0};
	for (*line = 1; *text; ++*line) {
		size_t len = strcspn(text, "\n");

		if (snprintf(one, sizeof(one), "%.*s", (int)(len < sizeof(one) ? len : sizeof(one)),
			     text) >= (int)sizeof(one))
			return -EINVAL;
		one[strcspn(one, "#")] = '\0';
		if (one[strspn(one, " \t\r")] && parse_line(one, out))
			return -EINVAL;
		text += len + (text[len] == '\n');
	}
	return 0;
}
