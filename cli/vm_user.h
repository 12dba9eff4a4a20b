/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_user: the user that VMMs run as, when root starts them. */
#ifndef CLI_VM_USER_H
#define CLI_VM_USER_H

#include <sys/types.h>

#define VM_USER "sluice-vmm" /* made by the package */

/* That user where there is one, else a number that nobody has of the range which is kept for such
 * users (systemd's DynamicUser=, 61184 to 65519): the same each time, since VMMs share unpacked
 * kernels. 0 when we are not root: then there is no other user to be. */
void vm_user(unsigned *uid, unsigned *gid);

#endif
