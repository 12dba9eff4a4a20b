/* SPDX-License-Identifier: BSD-3-Clause */
/* device: the descriptor through which one function is driven: from its group
 * (VFIO_GROUP_GET_DEVICE_FD), or, on iommufd, what was attached. */
#include "iommu/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"

static const char *open_reason(int err)
{
	switch (err) {
	case -ENODEV:
		return "it is not in this IOMMU group, or not bound to vfio-pci";
	case -EBUSY:
		return "another process has it open; stop that one first";
	case -EACCES:
		return "its PF is in user space and asks for a vf_token; append "
		       "\" vf_token=UUID\" with the PF's token";
	case -EINVAL:
		return "no such name, or a vf_token was given to a device that takes none";
	case -EPERM:
		return "the group has no container";
	default:
		return strerror(-err);
	}
}

int iommu_device_open(struct iommu_domain *domain, int group_fd, const char *name)
{
	if (!iommu_domain_has_group(domain, group_fd))
		return log_fail(-EINVAL, name, "not opened: its group is not attached");
	if (domain->ops->handle == IOMMU_HANDLE_RID)
		return log_fail(-EOPNOTSUPP, name,
				"not opened: VFIO has no part in it; its registers are in sysfs");
	if (domain->ops->handle == IOMMU_HANDLE_DEVICE) {
		int copy = fcntl(group_fd, F_DUPFD_CLOEXEC, 3);
		return copy < 0 ? log_fail(-errno, name, "not opened: %m") : copy;
	}
	int fd = ioctl(group_fd, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd < 0) {
		int err = -errno;
		return log_fail(err, name, "not opened: %s", open_reason(err));
	}
	return fd;
}
