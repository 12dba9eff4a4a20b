/* SPDX-License-Identifier: BSD-3-Clause */
/* patience: see patience.h. */
#include "cli/patience.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "base/util.h"

void patience_begin(struct patience *p)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	p->over = false;
	sigemptyset(&p->ending);
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		sigaddset(&p->ending, ending[i]);
	sigprocmask(SIG_BLOCK, &p->ending, &p->before);
}

bool patience_wait(struct patience *p, int64_t ms)
{
	const struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	/* EINTR: a signal that is none of these, such as a stopped job's going on */
	if (!p->over && sigtimedwait(&p->ending, NULL, &left) >= 0)
		p->over = true;
	return !p->over;
}

/* What came meanwhile has been taken, and done its work. */
void patience_end(struct patience *p)
{
	sigprocmask(SIG_SETMASK, &p->before, NULL);
}
