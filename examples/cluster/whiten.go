package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../ext
#cgo LDFLAGS: ${SRCDIR}/../../libwhiten.a -llapacke -lopenblas -lsqlite3 -lpthread -lm
#include <sqlite3.h>
#include "whiten.h"

static int register_whiten(void) { return sqlite3_auto_extension((void (*)(void))sqlite3_whiten_init); }
*/
import "C"

import "fmt"

// registerWhiten gives every connection of this process the extension: those of dqlite, and those of a single file.
func registerWhiten() error {
	if code := C.register_whiten(); code != C.SQLITE_OK {
		return fmt.Errorf("sqlite3_auto_extension: %s", C.GoString(C.sqlite3_errstr(code)))
	}
	return nil
}
