/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_user: see vm_user.h. */
#include "cli/vm_user.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#define FIRST 64137u
#define LAST  65519u

void vm_user(unsigned *uid, unsigned *gid)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam(VM_USER) : NULL;

	*uid = 0;
	*gid = 0;
	if (user && user->pw_uid) {
		*uid = user->pw_uid;
		*gid = user->pw_gid;
	}
	for (unsigned id = FIRST; geteuid() == 0 && !*uid && id <= LAST; id++)
		if (!getpwuid(id) && !getgrgid(id))
			*uid = *gid = id;
}
