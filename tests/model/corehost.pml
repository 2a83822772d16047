/* The locking protocol of a pass: what several instances do to one database, with crashes and zombies.
 *
 * Three namespaces, one branch in each; the words are those of docs/adr and docs/model.md.
 *
 *   a1          b1                needs nothing
 *   a2 -> b1    b2 -> a1          the two branches need each other's revisions in turn
 *   c1 -> a1, b1                  cannot be transactional: it commits in its middle
 *
 * A step takes its own namespace exclusively and those that it needs shared, all or none. One round trip to
 * the server is one atomic step of the model, but for the try of several locks, which others see half done.
 *
 * What is looked at is chosen with -D:
 *   INSTANCES, CRASHES, ZOMBIES   how many there are (3, 0, 0); a zombie is stopped and perhaps woken again
 *   DISCARDS                      how often a migration throws its own locks away (0): DISCARD ALL
 *   DOWNGRADE                     an operator takes b1 back, where nothing that is applied needs it
 *   STRANGER                      somebody applies a1 by hand, without any lock
 *   COMERS                        how many dependents of a come and go for ever (0): they fail and start again
 *   ANY_REFUSAL                   a shared try may be refused for no reason: covers every announcement, and is smaller
 *   PROGRESS, CALM                whether all come to an end; CALM where tries do not clash for ever
 *   ONLY=P_...                    one property instead of all
 * and a rule is taken out, to see that it is needed, with
 *   NO_REREAD NO_LOCK_CHECK NO_EARLY_LOCK_CHECK NO_ROW_CHECK OTHER_CONNECTION BLOCKING NO_SHARED NO_INTENT
 *   KEEP_INTENT NO_SESSION_END
 */

#ifndef INSTANCES
#define INSTANCES 3
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef ZOMBIES
#define ZOMBIES 0
#endif
#ifndef DISCARDS
#define DISCARDS 0
#endif
#ifndef COMERS
#define COMERS 0
#endif

/* The properties. -DONLY=... looks at one of them; that nobody is stuck is always looked at. */
#define P_ONCE 1      /* no revision takes effect twice */
#define P_COMPLETE 2  /* who ends leaves everything applied, or c1 in doubt since its holder was cut off */
#define P_ORDER 3     /* what a revision needs is applied when it is committed */
#define P_LOCKED 4    /* nobody commits without his namespace's lock */
#define P_ALONE 5     /* nothing is committed in a namespace that somebody else's running step leans on */
#define P_NONE 6

#ifndef ONLY
#define ONLY 0
#endif
#define CHOSEN(p) (ONLY == 0 || ONLY == p)
#define ONCE(x) assert(!CHOSEN(P_ONCE) || (x))
#define COMPLETE(x) assert(!CHOSEN(P_COMPLETE) || (x))
#define ORDER(x) assert(!CHOSEN(P_ORDER) || (x))
#define LOCKED(x) assert(!CHOSEN(P_LOCKED) || (x))
#define ALONE(x) assert(!CHOSEN(P_ALONE) || (x))

#define A 0
#define B 1
#define C 2
#define NOBODY 7
#define OPERATOR 6

#if defined(CALM) || defined(PROGRESS)
#define ROUNDS        /* one that is ready after the other; else in any order */
#endif

#define BIT(i) (1 << (i))

/* What a namespace's next revision needs of others, as a set of namespaces: of each its first revision. */
#define NEEDS(n, applied) ((n) == C -> 3 : ((applied) == 0 -> 0 : ((n) == A -> BIT(B) : BIT(A))))
#define LAST(n) ((n) == C -> 1 : 2)
#define MET(needs, a, b) ((!((needs) & BIT(A)) || (a) >= 1) && (!((needs) & BIT(B)) || (b) >= 1))
#define EFFECT(n, applied) BIT(2 * (n) + (applied))

/* --- the database ------------------------------------------------------------------------------------- */

byte head[3];         /* the version rows: how many revisions of a namespace are applied */
byte made;            /* the effects that are committed, whatever the version rows say */
bool started;         /* the ledger: c1 has begun, a part of it is committed */
byte exclusive[3];    /* who holds a namespace's lock */
byte shared[3];       /* the set of those who hold it shared */
byte intent[3];       /* who has announced that he needs a namespace for himself */

/* --- the instances, seen from outside ------------------------------------------------------------------- */

byte crashed;         /* gone for ever */
byte lost;            /* the server has ended the session; the client learns it at its next round trip */
byte using[3];        /* the namespaces that the running step of an instance leans on, its own included */
byte ended;           /* how many have ended, crashed ones included */
#if DISCARDS
byte discards = DISCARDS;
#endif
#ifdef CALM
byte half;            /* who has a part of the locks it tries */
bool clash;           /* a try was refused because of somebody else's half */
#endif

#define GONE(i) (crashed & BIT(i))
#define LOST(i) (lost & BIT(i))
#define OTHERS(x) ((x) & ~BIT(me))
#define NEXT ((left & BIT(A)) -> A : B)

inline unlock(i) {
  if :: exclusive[A] == i -> exclusive[A] = NOBODY :: else fi;
  if :: exclusive[B] == i -> exclusive[B] = NOBODY :: else fi;
  if :: exclusive[C] == i -> exclusive[C] = NOBODY :: else fi;
  shared[A] = shared[A] & ~BIT(i); shared[B] = shared[B] & ~BIT(i); shared[C] = shared[C] & ~BIT(i);
#ifdef CALM
  half = half & ~BIT(i)
#endif
}

inline unlock_all(i) {
  unlock(i);
  if :: intent[A] == i -> intent[A] = NOBODY :: else fi;
  if :: intent[B] == i -> intent[B] = NOBODY :: else fi;
  if :: intent[C] == i -> intent[C] = NOBODY :: else fi
}

inline end_session(i) {
  unlock_all(i);
  using[i] = 0;
  lost = lost | BIT(i)
}

inline forget() { own = A; want = 0; left = 0; seen_a = 0; seen_b = 0; seen_c = 0 }

/* One round trip on the session that holds the locks: atomic { HERE -> ... }, beside ELSEWHERE. Where the
   session was ended, another one is opened for a new look. */
#define HERE (!GONE(me) && !LOST(me))
#define ELSEWHERE \
  :: GONE(me) -> goto dead \
  :: atomic { !GONE(me) && LOST(me) -> forget(); using[me] = 0; goto look }

/* The same inside a step. Taken out, the DDL has a session of its own, which outlives that of the locks. */
#ifdef OTHER_CONNECTION
#define STEP_HERE (!GONE(me))
#define STEP_ELSEWHERE :: GONE(me) -> goto dead
#else
#define STEP_HERE HERE
#define STEP_ELSEWHERE ELSEWHERE
#endif

#define APPLIED(n) ((n) == A -> seen_a : ((n) == B -> seen_b : seen_c))
#define READY(n) (APPLIED(n) < LAST(n) && MET(NEEDS(n, APPLIED(n)), seen_a, seen_b))
#define ALL_APPLIED (head[A] == 2 && head[B] == 2 && head[C] == 1)
#define IN_DOUBT (head[A] == 2 && head[B] == 2 && head[C] == 0 && started)
#define ANNOUNCED (intent[A] == me || intent[B] == me || intent[C] == me)
#define FREE(n) (exclusive[n] == NOBODY && OTHERS(shared[n]) == 0)
#ifdef ANY_REFUSAL
#define NO_INTENT
#endif
#ifdef NO_INTENT
#define WELCOME(n) true
#else
#define WELCOME(n) (intent[n] == NOBODY || ANNOUNCED)
#endif

/* Only where nobody has it exclusively: shared holders that come and go could keep it away for ever. One
   announcement at a time; the code waits for some refusals first. */
inline announce() {
#ifndef NO_INTENT
  if
  :: exclusive[own] == NOBODY && intent[own] == NOBODY && !ANNOUNCED -> intent[own] = me
  :: else
  fi
#else
  skip
#endif
}

proctype Instance(byte me) {
  byte own, want, left;          /* own namespace; those needed; of these, those not taken yet */
  byte next;                     /* the one that is tried now: in the order of the keys */
  byte seen_a, seen_b, seen_c;   /* the state as it was last read */
#ifdef ROUNDS
  byte turn;                     /* of what is ready, the first that has not been tried in this round */
#endif
  bool doubt;                    /* c1 was found in doubt, under c's lock: it is left to the operator */

look:  /* Lock-free, on a new connection; between two looks a waiter holds nothing. */
  if
  :: GONE(me) -> goto dead
  :: atomic { !GONE(me) ->
       lost = OTHERS(lost);
#ifdef CALM
       clash = false;
#endif
       seen_a = head[A]; seen_b = head[B]; seen_c = head[C];
#ifdef ROUNDS
       if
       :: turn <= A && READY(A) -> own = A
       :: turn <= B && READY(B) && !(turn <= A && READY(A)) -> own = B
       :: turn <= C && READY(C) && !doubt && !(turn <= A && READY(A)) && !(turn <= B && READY(B)) -> own = C
       :: else ->
          if
          :: turn != A -> turn = A; forget(); goto look
          :: else -> goto end
          fi
       fi;
       turn = own + 1;
#else
       if
       :: READY(A) -> own = A
       :: READY(B) -> own = B
       :: READY(C) && !doubt -> own = C
       :: else -> goto end
       fi;
#endif
#ifndef KEEP_INTENT
       /* What was announced and is not needed any more is taken back, with the connection. */
       if :: intent[A] == me && !READY(A) -> intent[A] = NOBODY :: else fi;
       if :: intent[B] == me && !READY(B) -> intent[B] = NOBODY :: else fi;
       if :: intent[C] == me && (!READY(C) || doubt) -> intent[C] = NOBODY :: else fi;
#endif
       want = NEEDS(own, APPLIED(own));
#ifndef NO_SHARED
       left = want;
#endif
#ifndef NO_REREAD
       seen_a = 0; seen_b = 0; seen_c = 0  /* what is not used again need not be told apart */
#endif
     }
  fi;

try_own:
  if
  ELSEWHERE
#ifdef BLOCKING
  :: atomic { HERE && FREE(own) -> exclusive[own] = me; if :: left == 0 -> goto read_again :: else fi }
#else
  :: atomic { HERE ->
       if
       :: FREE(own) ->
          exclusive[own] = me;
          if :: left == 0 -> goto read_again :: else fi;
#ifdef CALM
          half = half | BIT(me)
#endif
       :: else ->
#ifdef CALM
          clash = ((exclusive[own] != NOBODY && (half & BIT(exclusive[own]))) || (OTHERS(shared[own]) & half));
#endif
          announce();
          forget();
          goto look
       fi
     }
#endif
  fi;

try_shared:
  if
  ELSEWHERE
#ifdef BLOCKING
  :: atomic { HERE && exclusive[NEXT] == NOBODY ->
       next = NEXT;
       shared[next] = shared[next] | BIT(me);
       left = left & ~BIT(next);
       next = A;
       if :: left != 0 -> goto try_shared :: else fi
     }
#else
  :: atomic { HERE ->
       next = NEXT;
       if
       :: exclusive[next] == NOBODY && WELCOME(next) ->
          shared[next] = shared[next] | BIT(me);
          left = left & ~BIT(next);
          next = A;
          if :: left != 0 -> goto try_shared :: else fi;
#ifdef CALM
          half = OTHERS(half)
#endif
#ifdef ANY_REFUSAL
       :: true ->
#else
       :: else ->
#endif
#ifdef CALM
          clash = (exclusive[next] != NOBODY && (half & BIT(exclusive[next])));
#endif
          next = A;
          goto undo
       fi
     }
#endif
  fi;

read_again:  /* Under the locks, what they cover: own namespace and those needed. */
  if
  ELSEWHERE
  :: atomic { HERE ->
#ifndef NO_REREAD
       if :: own == A || (want & BIT(A)) -> seen_a = head[A] :: else fi;
       if :: own == B || (want & BIT(B)) -> seen_b = head[B] :: else fi;
       if :: own == C -> seen_c = head[C]; doubt = started :: else fi;
       if :: !READY(own) || (own == C && doubt) -> goto release :: else fi;
#endif
step:
       using[me] = BIT(own) | want;
       if :: own != C -> goto finish :: else fi
     }
  fi;

early:  /* c1 commits in its middle: 'started' with it, and only under the lock. */
  if
  STEP_ELSEWHERE
  :: atomic { STEP_HERE ->
#ifndef NO_EARLY_LOCK_CHECK
       if :: exclusive[C] != me -> using[me] = 0; forget(); goto look :: else fi;
#endif
       ONCE(!(made & EFFECT(C, 0)));
       ORDER(MET(NEEDS(C, 0), head[A], head[B]));
       made = made | EFFECT(C, 0);
       started = true
     }
#if DISCARDS
  :: atomic { STEP_HERE && discards > 0 -> discards--; using[me] = 0; unlock_all(me); goto early }
#endif
  fi;

finish:  /* One statement: check lock and rows, write rows and ledger, commit. */
  if
  STEP_ELSEWHERE
  :: atomic { STEP_HERE ->
#ifndef NO_LOCK_CHECK
       if :: exclusive[own] != me -> using[me] = 0; forget(); goto look :: else fi;
#endif
#ifndef NO_ROW_CHECK
       if :: head[own] != APPLIED(own) -> using[me] = 0; goto release :: else fi;
#endif
       LOCKED(exclusive[own] == me);
       ONCE(head[own] == APPLIED(own) && (own == C || !(made & EFFECT(own, APPLIED(own)))));
       ORDER(MET(NEEDS(own, APPLIED(own)), head[A], head[B]));
       using[me] = 0;
       ALONE(!((using[0] | using[1] | using[2]) & BIT(own)));
       made = made | EFFECT(own, APPLIED(own));
       head[own] = APPLIED(own) + 1;
       if
       :: own == A -> seen_a++
       :: own == B -> seen_b++
       :: own == C -> seen_c++; started = false
       fi;
       /* The next one of this namespace, where it needs no other lock. */
       if :: READY(own) && (NEEDS(own, APPLIED(own)) & ~want) == 0 -> goto step :: else fi
     }
#if DISCARDS
  :: atomic { STEP_HERE && discards > 0 -> discards--; using[me] = 0; unlock_all(me); goto finish }
#endif
  fi;

release:  /* All locks; who had announced something closes its connection. */
  if
  ELSEWHERE
  :: atomic { HERE ->
       unlock_all(me); forget();
#ifdef ROUNDS
       turn = A;
#endif
       goto look
     }
  fi;

undo:  /* One was refused: what was taken is given back; an announcement stays. */
  if
  ELSEWHERE
  :: atomic { HERE -> unlock(me); announce(); forget(); goto look }
  fi;

end:  /* Nothing is left that this instance may do. */
#ifndef DOWNGRADE
  COMPLETE((ALL_APPLIED && made == 31) || IN_DOUBT);
#endif
  atomic { unlock_all(me); forget(); doubt = false };
dead:
  ended++
}

#if CRASHES + ZOMBIES
/* What befalls the instances. A crash, and a holder that is stopped until the server ends its session
   (idle_session_timeout, idle_in_transaction_session_timeout, or a waiter's pg_terminate_backend): either
   way the server rolls the transaction back and frees every lock. How long that takes is no matter: until
   then the instance is merely slow, which any instance may be at any step. Instances are alike, so it is
   enough that the crash befalls the first and the other fault the first or the second. */
proctype Fate() {
  byte crashes = CRASHES, zombies = ZOMBIES;

end:
  do
  :: atomic { crashes > 0 ->
       crashes = 0;
       crashed = crashed | BIT(0);
#ifndef NO_SESSION_END
       end_session(0)
#endif
     }
  :: atomic { zombies > 0 && using[0] -> zombies = 0; end_session(0) }
  :: atomic { zombies > 0 && using[1] -> zombies = 0; end_session(1) }
  od
}
#endif

#ifdef DOWNGRADE
/* Takes b1 back once, where nothing needs it that is applied or in doubt; b's lock alone is taken. */
proctype Operator() {
  atomic { exclusive[B] == NOBODY && shared[B] == 0 -> exclusive[B] = OPERATOR };
  atomic {
    if
    :: head[B] == 1 && head[A] < 2 && head[C] == 0 && !started -> skip
    :: else -> goto give_back
    fi
  };
  atomic { head[B] = 0; made = made & ~EFFECT(B, 0) };
give_back:
  exclusive[B] = NOBODY
}
#endif

#ifdef STRANGER
/* A stock upgrade by hand beside us: it takes no lock, and looks at the version row as Alembic does. */
proctype Stranger() {
end:
  atomic { head[A] == 0 -> made = made | EFFECT(A, 0); head[A] = 1 }
}
#endif

#if COMERS
/* A dependent of a that fails and is started again for ever: it takes a shared, politely. */
proctype Comer(byte me) {
end:
  do
  :: atomic { exclusive[A] == NOBODY && (WELCOME(A)) -> shared[A] = shared[A] | BIT(me) };
     shared[A] = shared[A] & ~BIT(me)
  od
}
#endif

init {
  atomic {
    byte i;
    for (i : 0 .. 2) { exclusive[i] = NOBODY; intent[i] = NOBODY };
    for (i : 0 .. INSTANCES - 1) { run Instance(i) };
    i = 0;
#if CRASHES + ZOMBIES
    run Fate();
#endif
#ifdef DOWNGRADE
    run Operator();
#endif
#ifdef STRANGER
    run Stranger();
#endif
#if COMERS
    for (i : INSTANCES .. INSTANCES + COMERS - 1) { run Comer(i) }; 
    i = 0
#endif
  }
}

#ifdef CALM  /* tries do not break each other's halves for ever: what the jitter between two looks is for */
ltl progress { (<> [] !clash) -> <> (ended == INSTANCES) }
#else
#ifdef PROGRESS
ltl progress { <> (ended == INSTANCES) }
#endif
#endif
