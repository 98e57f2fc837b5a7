#pragma once
#include <sqlite3.h>

// SQLITE_TRANSIENT is a macro with a cast that Swift does not import: SQLite copies what is bound.
static inline sqlite3_destructor_type csqlite_transient(void) { return SQLITE_TRANSIENT; }
