/* SPDX-License-Identifier: BSD-3-Clause */
/* A file with an access list: whatever is in it, it is refused with a reason, or is the same when
 * it has been written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/switch_acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(const struct nq_acl *first)
{
	json_t *json = switch_acl_encode(first);
	char error[RPC_ERROR_TEXT] = "";
	struct nq_acl second;

	if (!json || switch_acl_decode("list", json, &second, error))
		abort();
	json_t *again = switch_acl_encode(&second);
	if (!json_equal(json, again))
		abort();
	json_decref(again);
	json_decref(json);
	free((struct nq_acl_rule *)second.rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	char error[RPC_ERROR_TEXT] = "";
	struct nq_acl acl;

	if (json && !switch_acl_decode("list", json, &acl, error)) {
		read_again(&acl);
		free((struct nq_acl_rule *)acl.rules);
	} else if (json && !error[0]) {
		abort();
	}
	json_decref(json);
	return 0;
}
