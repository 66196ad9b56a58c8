// SPDX-License-Identifier: MIT
/* symbol.c – see symbol.h.
 *
 * Holds      nothing: the file is mapped for each look, as looks are rare.
 * Invariant  every offset read from a file is checked against its size before it is followed.
 * Called by  see symbol.h.
 * Why        see symbol.h.
 */
#include "obs/symbol.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
    const char *bytes;
    size_t size;
};

struct module {
    const char *file;
    uintptr_t bias; // added to the file's addresses
    const char *exported;
    uintptr_t exported_at;
};

bool symbol_is_code(const void *address) {
    struct dl_find_object found;
    return _dl_find_object((void *)(uintptr_t)address, &found) == 0;
}

static bool find_module(const void *address, struct module *out_module) {
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL) {
        return false;
    }
    bool is_program = map->l_name == NULL || map->l_name[0] == '\0';
    *out_module = (struct module){.file = is_program ? "/proc/self/exe" : info.dli_fname,
                                  .bias = map->l_addr,
                                  .exported = info.dli_sname,
                                  .exported_at = (uintptr_t)info.dli_saddr};
    return true;
}

static bool map_file(const char *path, struct image *out_image) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    void *bytes = MAP_FAILED;
    if (fstat(fd, &status) == 0 && status.st_size >= (off_t)sizeof(ElfW(Ehdr))) {
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    if (bytes == MAP_FAILED) {
        return false;
    }
    *out_image = (struct image){bytes, (size_t)status.st_size};
    return true;
}

/* `count` items of `size` bytes at `offset`, or NULL if they are not all there and aligned. */
static const void *at(const struct image *image, size_t offset, size_t count, size_t size) {
    size_t bytes;
    bool fits = !__builtin_mul_overflow(count, size, &bytes) && bytes <= image->size &&
                offset <= image->size - bytes && offset % 8 == 0;
    return fits ? image->bytes + offset : NULL;
}

static const ElfW(Shdr) * section(const struct image *image, size_t index) {
    const ElfW(Ehdr) *head = at(image, 0, 1, sizeof(*head));
    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_shentsize != sizeof(ElfW(Shdr)) ||
        index >= head->e_shnum) {
        return NULL;
    }
    const ElfW(Shdr) *all = at(image, head->e_shoff, head->e_shnum, sizeof(*all));
    return all == NULL ? NULL : &all[index];
}

/* The name at this place of a string table; "" if it does not end inside. */
static const char *name_at(const struct image *image, const ElfW(Shdr) * strings, size_t offset) {
    if (strings == NULL || strings->sh_offset > image->size ||
        strings->sh_size > image->size - strings->sh_offset || offset >= strings->sh_size) {
        return "";
    }
    const char *name = image->bytes + strings->sh_offset + offset;
    return memchr(name, '\0', strings->sh_size - offset) != NULL ? name : "";
}

static bool covers(const ElfW(Sym) * symbol, uintptr_t where) {
    return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
           where >= symbol->st_value && where - symbol->st_value < symbol->st_size;
}

/* Looks through the file's symbol table. */
static bool print_from_table(const struct image *image, uintptr_t where, const char *short_name,
                             FILE *out) {
    const ElfW(Shdr) *table = NULL;
    for (size_t i = 0; (table = section(image, i)) != NULL && table->sh_type != SHT_SYMTAB; i++) {}
    if (table == NULL) {
        return false;
    }
    size_t count = table->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *symbols = at(image, table->sh_offset, count, sizeof(*symbols));
    for (size_t i = 0; symbols != NULL && i < count; i++) {
        if (covers(&symbols[i], where)) {
            const char *name = name_at(image, section(image, table->sh_link), symbols[i].st_name);
            fprintf(out, "    %s+0x%zx (%s)\n", name, (size_t)(where - symbols[i].st_value),
                    short_name);
            return true;
        }
    }
    return false;
}

static const char *short_name_of(const struct module *module) {
    const char *slash = strrchr(module->file, '/');
    if (strcmp(module->file, "/proc/self/exe") == 0) {
        return program_invocation_short_name;
    }
    return slash != NULL ? slash + 1 : module->file;
}

void symbol_print(const void *address, FILE *out) {
    struct module module;
    struct image image;
    if (!find_module(address, &module)) {
        fprintf(out, "    %p\n", address);
        return;
    }
    uintptr_t where = (uintptr_t)address - module.bias;
    const char *short_name = short_name_of(&module);
    bool printed = false;
    if (map_file(module.file, &image)) {
        printed = print_from_table(&image, where, short_name, out);
        munmap((void *)(uintptr_t)image.bytes, image.size);
    }
    if (!printed && module.exported != NULL) {
        fprintf(out, "    %s+0x%zx (%s)\n", module.exported,
                (size_t)((uintptr_t)address - module.exported_at), short_name);
    } else if (!printed) {
        fprintf(out, "    %s(+0x%zx)\n", short_name, (size_t)where);
    }
}
