/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_picture: the control method "screenshot". */
#ifndef CLI_VMM_PICTURE_H
#define CLI_VMM_PICTURE_H

#include <jansson.h>

#include "base/rpc.h"
#include "cli/vmm_machine.h"

/* Pixels of the first display, or of the device at address `bdf`, into the file that comes along.
 */
int vmm_picture(struct vmm_machine *machine, struct rpc_server *server, const json_t *params,
		json_t **result, char error[RPC_ERROR_TEXT]);

#endif
