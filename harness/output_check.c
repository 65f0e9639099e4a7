#include "harness/output_check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/output_file.h"

bool kvl_is_special_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

enum kvl_status kvl_output_check_other(const char *option, const char *path, const char *input)
{
    struct stat out, in;
    bool same = stat(path, &out) == 0 && stat(input, &in) == 0 && out.st_dev == in.st_dev && out.st_ino == in.st_ino;
    KVL_REQUIRE(!same, "%s %s would overwrite what is read: name another file", option, path);
    return KVL_OK;
}

enum kvl_status kvl_output_check_whole(const char *path)
{
    struct kvl_output_file file;
    if (kvl_is_special_file(path))
        return KVL_OK;
    KVL_TRY(kvl_output_file_open(&file, path));
    kvl_output_file_discard(&file);
    return KVL_OK;
}

enum kvl_status kvl_output_check_append(const char *path)
{
    if (kvl_is_special_file(path))
        return KVL_OK;
    bool exists = access(path, F_OK) == 0;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return kvl_fail(KVL_E_IO, "cannot write to %s: %s", path, strerror(errno));
    close(fd);
    if (!exists)
        unlink(path);
    return KVL_OK;
}
