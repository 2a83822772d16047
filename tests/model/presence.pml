/* The presence protocol: an old instance never serves beside, or after, a contract step.
 *
 * One namespace. Old code lacks what the contract step needs, new code has it. Every host that serves holds, on a
 * connection of its own, a shared lock on a key made of its branch and of the digest of the heads that its
 * code has: its presence. One round trip to the server is one atomic step of the model. Sessions are ended at
 * any moment: the presence's, the holder's; and instances crash, which ends all of theirs.
 *
 * What is looked at is chosen with -D:
 *   OLD, NEW         how many instances of either code there are (2, 1)
 *   CUTS             how often a session is ended under its client (1): the step's, or a presence's
 *   CRASHES          how many old instances crash at most (1)
 *   PROGRESS         whether the contract step is applied in the end, once the old ones have left
 * and a rule is taken out, to see that it is needed, with
 *   NO_TRY           presence is taken without the shared try of the namespace's lock
 *   NO_SECOND_LOOK   presence is taken under it, but the state is not judged again
 *   NO_LIST          the contract step does not list the presences
 *   LIST_FIRST       it lists them before it has the lock
 *   NO_GRACE         it does not wait until whoever lost his presence without knowing has noticed
 *   STAY_READY       an instance that notices the loss of its presence goes on serving
 */

#ifndef OLD
#define OLD 2
#endif
#ifndef NEW
#define NEW 1
#endif
#ifndef CUTS
#define CUTS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

#define NOBODY 255
#define BIT(i) (1 << (i))
#define OLD_ONES (BIT(OLD) - 1)
#define OTHERS(x) ((x) & ~BIT(me))

/* --- the database ------------------------------------------------------------------------------------- */

bool contracted;          /* the contract step is committed */
byte exclusive = NOBODY;  /* who holds the namespace's lock */
byte shared;              /* the set of those who hold it shared */
byte present;             /* the old digest's key: the set of the sessions that hold it */

/* --- the instances -------------------------------------------------------------------------------------- */

byte serving;             /* the old instances that are ready */
byte crashed;             /* gone for ever, and every session of theirs */
byte away;                /* has left for good */
byte cut;                 /* the session of an instance was ended; it learns that at its next round trip */

#define HERE (!(crashed & BIT(me)) && !(cut & BIT(me)))
/* The server has forgotten everything of this session. Its instance is not ready from here on; it begins anew. */
#ifdef STAY_READY
#define NOT_READY if :: serving & BIT(me) -> goto serve :: else fi
#else
#define NOT_READY serving = OTHERS(serving)
#endif
#define ELSEWHERE \
  :: atomic { crashed & BIT(me) -> judged = false; goto dead } \
  :: atomic { !(crashed & BIT(me)) && (cut & BIT(me)) -> \
       cut = OTHERS(cut); NOT_READY; judged = false; goto start }

inline drop(i) {
  if :: exclusive == i -> exclusive = NOBODY :: else fi;
  shared = shared & ~BIT(i);
  present = present & ~BIT(i)
}

proctype Old(byte me) {
  bool judged;  /* the state, as it was read, is one that this code may serve */

start:  /* A look without any lock: nothing of this code's is pending, and nothing is there that it cannot bear. */
  if
  ELSEWHERE
  :: atomic { HERE -> judged = !contracted; if :: !judged -> goto leave :: else fi }
  fi;

#ifndef NO_TRY
try:  /* Only a try; who is refused waits, and looks again. */
  if
  ELSEWHERE
  :: atomic { HERE && exclusive == NOBODY -> shared = shared | BIT(me) }
  :: atomic { HERE && exclusive != NOBODY -> judged = false; goto start }
  fi;
#endif

announce:
  if
  ELSEWHERE
  :: atomic { HERE -> present = present | BIT(me) }
  fi;

#ifndef NO_SECOND_LOOK
judge:
  if
  ELSEWHERE
  :: atomic { HERE -> judged = !contracted }
  fi;
#endif

  if
  ELSEWHERE
  :: atomic { HERE ->
       shared = OTHERS(shared);
       if
       :: judged -> judged = false
       :: else -> present = OTHERS(present); goto leave
       fi
     }
  fi;

  if
  ELSEWHERE
  :: atomic { HERE -> assert(!contracted); serving = serving | BIT(me) }
  fi;

serve:  /* Until it is told to stop; that is how a rolling update ends. */
  if
  ELSEWHERE
  :: atomic { HERE -> serving = OTHERS(serving) }
  fi;

  /* The presence is given back after the last request. */
  if
  ELSEWHERE
  :: atomic { HERE -> present = OTHERS(present) }
  fi;

leave:  /* Replaced by new code, or it says that it cannot serve this database. */
  judged = false;
dead:
  atomic { away = away | BIT(me); cut = OTHERS(cut) }
}

#define LOST :: atomic { cut & BIT(me) -> cut = OTHERS(cut); alone = false; goto look }

proctype New(byte me) {
  bool alone;  /* no presence was found that lacks what the step needs */

look:
  if
  LOST
  :: atomic { HERE -> if :: contracted -> goto done :: else fi }
  fi;

#ifdef LIST_FIRST
  if
  LOST
  :: atomic { HERE -> alone = (present == 0) }
  fi;
#endif

  if
  LOST
  :: atomic { HERE && exclusive == NOBODY && OTHERS(shared) == 0 -> exclusive = me }
  :: atomic { HERE && (exclusive != NOBODY || OTHERS(shared) != 0) -> alone = false; goto look }
  fi;

  /* Under the lock: read the state again, and list who is present, from pg_locks. */
  if
  LOST
  :: atomic { HERE ->
#ifndef LIST_FIRST
       alone = (present == 0);
#endif
#ifdef NO_LIST
       alone = true;
#endif
       if
       :: contracted || !alone -> alone = false; exclusive = NOBODY; goto look
       :: else -> alone = false
       fi
     }
  fi;

#ifndef NO_GRACE
  /* Whoever lost his presence without knowing it has noticed after this time, and is not ready any more. */
  if
  LOST
  :: HERE && !(cut & OLD_ONES)
  fi;
#endif

  /* The DDL; then lock and rows are checked, and it is committed. */
  if
  LOST
  :: atomic { HERE ->
       assert(exclusive == me && !contracted);
       assert(serving == 0);
       contracted = true
     }
  fi;

  if
  LOST
  :: atomic { HERE -> exclusive = NOBODY; goto look }
  fi;

done:
  atomic { away = away | BIT(me); cut = OTHERS(cut) }
}

#define STAYS(i) (i < OLD + NEW && !((away | crashed) & BIT(i)))

/* Sessions end under their clients: a zombie's, a presence's; all of a crashed instance's. */
proctype Fate() {
  byte cuts = CUTS, crashes = CRASHES, i;

end:
  do
  :: atomic { cuts > 0 && STAYS(0) -> cuts--; drop(0); cut = cut | BIT(0) }
  :: atomic { cuts > 0 && STAYS(1) -> cuts--; drop(1); cut = cut | BIT(1) }
  :: atomic { cuts > 0 && STAYS(2) -> cuts--; drop(2); cut = cut | BIT(2) }
  :: atomic { cuts > 0 && STAYS(3) -> cuts--; drop(3); cut = cut | BIT(3) }
  :: atomic { crashes > 0 ->
       crashes--;
       select(i : 0 .. OLD - 1);
       drop(i);
       crashed = crashed | BIT(i);
       serving = serving & ~BIT(i);
       cut = cut & ~BIT(i);
       i = 0
     }
  od
}

init {
  byte i;
  atomic {
    for (i : 0 .. OLD - 1) { run Old(i) };
    for (i : OLD .. OLD + NEW - 1) { run New(i) };
    i = 0;
    run Fate()
  }
}

#ifdef PROGRESS
ltl progress { <> contracted }
#endif
