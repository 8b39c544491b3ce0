/* A driver for Vulkan that is another one, but loses its device once a file exists (LOSSY_FILE), and has no memory for
 * allocations above a size (LOSSY_BYTES). LOSSY_REAL is the other driver's library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*Function)(void);
typedef Function (*Lookup)(void *, const char *);
typedef int (*Submit)(void *, uint32_t, const void *, void *);
typedef int (*Allocate)(void *, const void *, const void *, void *);

static Submit real_submit;
static Allocate real_allocate;
static Lookup real_device;

static void *real(const char *name) {
  static void *library;
  if (!library) library = dlopen(getenv("LOSSY_REAL"), RTLD_NOW | RTLD_LOCAL);
  return library ? dlsym(library, name) : 0;
}

static int submit(void *queue, uint32_t count, const void *submits, void *fence) {
  const char *file = getenv("LOSSY_FILE");
  if (file && access(file, F_OK) == 0) return -4; /* VK_ERROR_DEVICE_LOST */
  return real_submit(queue, count, submits, fence);
}

static int allocate(void *device, const void *info, const void *callbacks, void *memory) {
  const char *limit = getenv("LOSSY_BYTES");
  uint64_t size = *(const uint64_t *)((const char *)info + 16);
  if (limit && size > strtoull(limit, 0, 10)) return -2; /* VK_ERROR_OUT_OF_DEVICE_MEMORY */
  return real_allocate(device, info, callbacks, memory);
}

static Function replaced(const char *name, Function found) {
  if (found && !strcmp(name, "vkQueueSubmit")) {
    real_submit = (Submit)found;
    return (Function)submit;
  }
  if (found && !strcmp(name, "vkAllocateMemory")) {
    real_allocate = (Allocate)found;
    return (Function)allocate;
  }
  return found;
}

static Function of_device(void *device, const char *name) { return replaced(name, real_device(device, name)); }

Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
  Function found = ((Lookup)real("vk_icdGetInstanceProcAddr"))(instance, name);
  if (!found || strcmp(name, "vkGetDeviceProcAddr")) return replaced(name, found);
  real_device = (Lookup)found;
  return (Function)of_device;
}

Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
  Lookup lookup = (Lookup)real("vk_icdGetPhysicalDeviceProcAddr");
  return lookup ? lookup(instance, name) : 0;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
  int (*negotiate)(uint32_t *) = (int (*)(uint32_t *))real("vk_icdNegotiateLoaderICDInterfaceVersion");
  return negotiate ? negotiate(version) : 0;
}
