/* SPDX-License-Identifier: BSD-3-Clause */
/* channel: see channel.h. */
#include "sriov/channel.h"

#include "base/util.h"

/* rtnetlink first: what it reads starts from nothing. */
static const struct channel *const channels[] = {&channel_rtnl, &channel_msix, &channel_devlink,
						 &channel_nvme};

const struct channel *const *channel_list(size_t *count)
{
	*count = ARRAY_SIZE(channels);
	return channels;
}

const struct channel *channel_of(enum sriov_attr attr)
{
	for (size_t i = 0; i < ARRAY_SIZE(channels); i++)
		if (channels[i]->bits & attr)
			return channels[i];
	return NULL;
}
