/* The presence protocol: an old instance never serves beside, or after, a contract step.
 *
 * One namespace. Old code lacks what the contract step needs, new code has it. Every host that serves holds, on a
 * connection of its own, a shared lock on a key made of the digest of the heads that its code has: its
 * presence. Whoever is about to run a contract step tells so by another key, before it lists the presences;
 * whoever becomes ready takes its presence before it looks at that key. So one of the two sees the other. One
 * round trip to the server is one atomic step of the model. Sessions are ended at any moment: the
 * presence's, the holder's; and instances crash, which ends all of theirs.
 *
 * What is looked at is chosen with -D:
 *   OLD, NEW         how many instances of either code there are (2, 1)
 *   CUTS             how often a session is ended under its client (1): the step's, or a presence's
 *   CRASHES          how many old instances crash at most (1)
 *   PROGRESS         whether the contract step is applied in the end, once the old ones have left
 * and a rule is taken out, to see that it is needed, with
 *   TELL_BLINDLY     a contract step is told of without a look at who is present, again and again
 *   NO_TELL          a contract step does not tell that it is about to be run
 *   TELL_LATE        it tells so after it has listed the presences
 *   NO_LIST          it does not list them
 *   LIST_LATE        it lists them only after the grace, not before
 *   NO_SECOND_LIST   it lists them before the grace, not again after it (nothing breaks)
 *   NO_GRACE         it does not wait until whoever lost his presence without knowing has noticed
 *   NO_REGARD        an instance that becomes ready does not look whether a contract step is told
 *   NO_SECOND_LOOK   it does, but does not judge the state again then
 *   JUDGE_FIRST      it judges the state before it looks whether one is told
 *   ANNOUNCE_LATE    it takes its presence after both
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
byte told = NOBODY;       /* who holds the key that tells of a contract step */
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
  if :: told == i -> told = NOBODY :: else fi;
  present = present & ~BIT(i)
}

proctype Old(byte me) {
  bool judged;  /* the state, as it was read, is one that this code may serve */

start:  /* A look without any lock: nothing of this code's is pending, and nothing is there that it cannot bear. */
  if
  ELSEWHERE
  :: atomic { HERE -> judged = !contracted; if :: !judged -> goto leave :: else fi }
  fi;

#ifndef ANNOUNCE_LATE
  if
  ELSEWHERE
  :: atomic { HERE -> present = present | BIT(me) }
  fi;
#endif

#ifdef JUDGE_FIRST
  if
  ELSEWHERE
  :: atomic { HERE -> judged = !contracted }
  fi;
#endif

#ifndef NO_REGARD
  /* Its presence held it waits as long as one is told of: that one sees it and holds back, or was first. */
  if
  ELSEWHERE
  :: atomic { HERE && told == NOBODY -> skip }
  fi;
#endif

#ifndef JUDGE_FIRST
#ifndef NO_SECOND_LOOK
  if
  ELSEWHERE
  :: atomic { HERE -> judged = !contracted }
  fi;
#endif
#endif

#ifdef ANNOUNCE_LATE
  if
  ELSEWHERE
  :: atomic { HERE -> present = present | BIT(me) }
  fi;
#endif

  if
  ELSEWHERE
  :: atomic { HERE && judged -> judged = false; assert(!contracted); serving = serving | BIT(me) }
  :: atomic { HERE && !judged -> present = OTHERS(present); goto leave }
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

#define LOST :: atomic { cut & BIT(me) -> cut = OTHERS(cut); goto look }
/* Who is present, from pg_locks: where somebody lacks what the step needs, all is given back. */
#ifdef NO_LIST
#define LIST skip
#else
#define LIST \
  if \
  :: present != 0 -> exclusive = NOBODY; told = NOBODY; goto look \
  :: else -> skip \
  fi
#endif

proctype New(byte me) {
look:
  if
  LOST
  :: atomic { HERE && contracted -> goto done }
#ifdef TELL_BLINDLY
  :: atomic { HERE && !contracted -> skip }
#else
  /* Without a lock: as long as somebody is present nothing is told, or he could be kept from serving for ever. */
  :: atomic { HERE && !contracted && present == 0 -> skip }
  :: atomic { HERE && !contracted && present != 0 -> goto look }
#endif
  fi;

  if
  LOST
  :: atomic { HERE && exclusive == NOBODY -> exclusive = me }
  :: atomic { HERE && exclusive != NOBODY -> goto look }
  fi;

  /* Under the lock: the state again. */
  if
  LOST
  :: atomic { HERE ->
       if
       :: contracted -> exclusive = NOBODY; goto look
       :: else -> skip
       fi
     }
  fi;

#ifndef NO_TELL
#ifndef TELL_LATE
  if
  LOST
  :: atomic { HERE -> told = me }
  fi;
#endif
#endif

#ifndef LIST_LATE
  if
  LOST
  :: atomic { HERE -> LIST }
  fi;
#endif

#ifdef TELL_LATE
  if
  LOST
  :: atomic { HERE -> told = me }
  fi;
#endif

#ifndef NO_GRACE
  /* Whoever lost his presence without knowing it has noticed after this time, and is not ready any more. */
  if
  LOST
  :: HERE && !(cut & OLD_ONES)
  fi;
#endif

#ifndef NO_SECOND_LIST
#ifndef TELL_LATE
  if
  LOST
  :: atomic { HERE -> LIST }
  fi;
#endif
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
  :: atomic { HERE -> exclusive = NOBODY; told = NOBODY; goto look }
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
