//go:build xla && cgo

package mlx

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

// The beginning of PJRT_Api, which all versions share.
typedef struct {
	size_t size;
	void *extension;
	struct { size_t size; void *extension; int major, minor; } version;
} api_head;

// preflight_version loads a plugin and reads the version it speaks, before anything of it is called but its entry point.
static const char *preflight_version(const char *path, int *major, int *minor) {
	void *h = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!h) return dlerror();
	const api_head *(*entry)(void) = (const api_head *(*)(void))dlsym(h, "GetPjrtApi");
	if (!entry) return dlerror();
	const api_head *api = entry();
	if (!api) return "its entry point returned nothing";
	if (api->size < sizeof(api_head)) return "its interface is shorter than its version";
	*major = api->version.major;
	*minor = api->version.minor;
	return NULL;
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// preflight loads a plugin and returns the version of the interface that it speaks, or why it cannot be used. go-xla itself
// does not look at the version before it calls through the table.
func preflight(path string) (string, error) {
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	var major, minor C.int
	if msg := C.preflight_version(cpath, &major, &minor); msg != nil {
		return "", fmt.Errorf("loading the plugin %s: %s", path, C.GoString(msg))
	}
	return fmt.Sprintf("%d.%d", int(major), int(minor)), checkVersion(path, int(major), int(minor))
}
