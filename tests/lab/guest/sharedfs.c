/*
 * Preloaded into the laboratory's libvirtd: report the shared folder as NFS.
 *
 * All hosts see one folder of this machine under the same path, so it is shared in fact; but
 * libvirt judges by the type of the file system and would refuse every migration of a disk on
 * it as unsafe (error 81). Real NFS would need a server and kernel support which CI machines
 * lack. Only the label is changed: the local folder next to it keeps its true type.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define SHARED "/srv/lab-shared"

#define RELABEL(name, type)                                                       \
    int name(const char *path, struct type *found)                                \
    {                                                                             \
        int (*real)(const char *, struct type *) = dlsym(RTLD_NEXT, #name);       \
        int result = real(path, found);                                           \
        size_t length = strlen(SHARED);                                           \
        if (result == 0 && strncmp(path, SHARED, length) == 0                     \
            && (path[length] == 0 || path[length] == '/'))                        \
            found->f_type = NFS_SUPER_MAGIC;                                      \
        return result;                                                            \
    }

RELABEL(statfs, statfs)
RELABEL(statfs64, statfs64)
