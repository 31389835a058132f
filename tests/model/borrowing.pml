/*
 * borrowing.pml: the borrowing protocol (PROTOCOL.md, steps 3 to 8), for the SPIN model checker.
 *
 * One object. Process 0 owns it; processes 1 .. N-1 borrow it. The model is a faithful rendering of what a
 * process does in one pump turn: every step below is one turn (one d_step), and the checker tries every order
 * of turns. The world around the processes is as hostile as PROTOCOL.md allows:
 *
 *   tokens        travel in the host's messages: lost, doubled, late, in any order;
 *   sessions      one FIFO channel per ordered pair, exactly once while both ends live. What a dead process
 *                 had in flight arrives, or a prefix of it arrives, until the receiver sees the view;
 *   membership    one stream of views and barriers; each process reads it at its own pace;
 *   crash         at any moment; false suspicion: the excluded process works on, until it reads its own view.
 *
 * What is checked: S1 .. S4 and S7 in every state, and a clean world in every end state. README.md says what is
 * left out, and which piece here is which step there. run.sh says with which parameters it runs.
 *
 * Every set of processes or handoffs is a bit mask. "Hidden" variables are scratch and not part of the state.
 */

/* ---- Parameters (all may be given as -D to spin) ------------------------------------------------------- */

#ifndef N
#define N 3                 /* processes, the owner included */
#endif
#ifndef HANDOFFS
#define HANDOFFS 2          /* references sent to another process, at most 4 */
#endif
#ifndef EXCLUSIONS
#define EXCLUSIONS 1        /* crashes and false suspicions together, at most 2 */
#endif
#ifndef CAPACITY
#define CAPACITY 4          /* items in flight per session; running over is reported as an error */
#endif
/*
 * CHAIN           handoffs are 0->1->2->3 only; otherwise any holder exports to anybody.
 * SUSPICION       an exclusion may also hit a live process, which works on until it reads its view.
 * NO_CRASH        exclusions are false suspicions only (see README: a crash is one of those that stays idle).
 * NO_LOSS, NO_DOUBLES, NO_CANCEL    switch off a fault, to make a failing trace shorter.
 * NO_OWNER_DEATH  the owner is never excluded.
 * GRACE           orphan_grace in place of the barrier: each process waits a time of its own.
 *
 * Rules removed, each of which must make the checker find a failure:
 * MUTATE_BARRIER        a dead borrower's entry is dropped at the view
 * MUTATE_DEAD_RECEIVER  the pin for a dead receiver is dropped at the view
 * MUTATE_LATEST_VIEW    the barrier of an older view is announced although a later view exists
 * MUTATE_FLUSH_COUNTED  the flush looks only at references with a count above zero
 * MUTATE_LIST_AT_EXPORT the owner lists the receiver when it exports, and the receiver relies on it
 * MUTATE_FORGET         redeemed tokens are not remembered
 * MUTATE_GONE_UNACKED   no HandoffAck after Gone
 * MUTATE_PURGE_ONCE     what is in flight is purged at the view, but the excluded id is not fenced
 * MUTATE_EARLY_RELEASE  Release leaves although there are pending children
 * MUTATE_EARLY_ACK      HandoffAck leaves at import, before the owner lists the receiver
 */
#if defined(MUTATE_BARRIER) || defined(MUTATE_DEAD_RECEIVER) || defined(MUTATE_LATEST_VIEW) || \
    defined(MUTATE_FLUSH_COUNTED) || defined(MUTATE_LIST_AT_EXPORT) || defined(MUTATE_FORGET) || \
    defined(MUTATE_GONE_UNACKED) || defined(MUTATE_PURGE_ONCE) || defined(MUTATE_EARLY_RELEASE) || \
    defined(MUTATE_EARLY_ACK)
#define MUTATED
#endif

/* ---- Sets ---------------------------------------------------------------------------------------------- */

#define OWNER 0
#define EVERYONE ((1 << N) - 1)
#define ONE(i) (1 << (i))
#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = (set) | ONE(i)
#define DEL(set, i) set = (set) & ~ONE(i)

/* ---- Handoffs (step 3): sender, receiver, and what each end believes ------------------------------------- */

byte sender[HANDOFFS], receiver[HANDOFFS];
byte made;                  /* handoffs made so far; the next has this number */
byte pins;                  /* sender's pending_children. Of a stopped process: as they were when it stopped */
byte asked;                 /* HandoffCancel has been sent */
byte spent;                 /* receiver's memory: redeemed or refused */
byte owed;                  /* redeemed, HandoffAck not yet sent: the receiver's reference is unconfirmed */
byte tokens;                /* a token of this handoff is in flight */
byte doubled;               /* ... and has been delivered once already */

/* ---- Processes (steps 3 to 6) ---------------------------------------------------------------------------- */

#define NONE 0              /* no record of the object */
#define QUEUED 1            /* unconfirmed: Register has not left */
#define OUTSTANDING 2       /* unconfirmed: Register has left, its ack has not come */
#define CONFIRMED 3         /* listed by the owner until our Release */
#define FAILED 4            /* Gone or OwnerDied; kept while there are pending children */

byte record[N];             /* of a borrower; the owner's record is `freed` and `listed` */
byte registering[N];        /* which handoff the outstanding Register names */
byte held = ONE(OWNER);     /* processes with a count above zero: a live, usable handle */
byte passed;                /* processes that exported the reference since their record began */
byte listed;                /* the owner's list of borrowers */
bool freed;                 /* the owner's object is out of scope, freed and forgotten */

/* ---- Membership (step 7): the stream, and how far each process has read ---------------------------------- */

#define VIEW(v) ((v) + 1)
#define BARRIER(v) ((v) + 16)
byte stream[2 * EXCLUSIONS], streamed;
byte views, excludes[EXCLUSIONS];   /* view v excludes the process excludes[v] */
byte reported[EXCLUSIONS];          /* processes that have reported Flushed(v) */
byte excluded;              /* excluded by some view in the stream */
byte closed;                /* ... by a view which a barrier in the stream has closed */
byte stopped;               /* crashed, or has read its own exclusion */
byte faults;                /* crashes and suspicions so far */
byte position[N];           /* what this process has read of the stream */
byte fenced[N];             /* whom it knows to be excluded */
byte over[N];               /* ... and by a view whose barrier it has seen */

/* ---- Sessions --------------------------------------------------------------------------------------------- */

#define REGISTER 1
#define REGISTER_OK 2       /* RegisterAck(Ok) */
#define REGISTER_GONE 3     /* RegisterAck(Gone) */
#define RELEASE 4
#define HANDOFF_ACK 5       /* every final answer: registered, short borrow, refused, Gone, OwnerDied */
#define HANDOFF_CANCEL 6
#define ITEM(kind, h) ((kind) * 4 + (h))
#define KIND(item) ((item) / 4)
#define HANDOFF(item) ((item) % 4)

chan session[N * (N - 1)] = [CAPACITY] of { byte };
#define SESSION(from, to) session[(from) * (N - 1) + ((to) > (from) -> (to) - 1 : (to))]

/* ---- Scratch ------------------------------------------------------------------------------------------------ */

hidden byte item, event, i, k, x, gone_ids, covered, promised;
hidden byte must_wait;

/* What the checker prints when an assert fails is the name of one of these. */
hidden byte S1_every_reference_has_a_chain_of_pins;
hidden byte S2_no_record_with_pending_children_is_removed;
hidden byte S3_dead_entries_and_pins_leave_only_at_the_barrier;
hidden byte S4_freed_only_when_nobody_holds;
hidden byte S7_nothing_from_an_excluded_id_is_applied;
hidden byte no_Gone_without_a_cause;
hidden byte ack_matches_the_outstanding_register;
hidden byte session_capacity_suffices;
hidden byte end_every_barrier_closed, end_every_record_removed, end_every_handoff_ended;
hidden byte end_borrower_list_empty, end_object_freed;

#define CHECK(name, truth) name = (truth); assert(name)
/* A check that only restates one of the rules: off when a rule is removed, so that the harm itself must be found. */
#ifdef MUTATED
#define CHECK_RULE(name, truth) skip
#else
#define CHECK_RULE(name, truth) CHECK(name, truth)
#endif

#define WORKING(p) (!HAS(stopped, p))
#define CHILD(h, p) (HAS(pins, h) && sender[h] == (p))      /* h is a pending child of p */
#if HANDOFFS == 2
#define HAS_CHILDREN(p) (CHILD(0, p) || CHILD(1, p))
#elif HANDOFFS == 3
#define HAS_CHILDREN(p) (CHILD(0, p) || CHILD(1, p) || CHILD(2, p))
#else
#define HAS_CHILDREN(p) (CHILD(0, p) || CHILD(1, p) || CHILD(2, p) || CHILD(3, p))
#endif

/* Whether p refuses what comes from q: for ever, not by a one-off purge. */
#ifdef MUTATE_PURGE_ONCE
#define FENCED(p, q) false
#else
#define FENCED(p, q) HAS(fenced[p], q)
#endif

/* ---- Pieces of a turn ------------------------------------------------------------------------------------- */

/* Puts an item into the session p->q. The session is over once p knows that q is excluded; what q would
 * discard, because q has fenced p, is left out to keep the state small. */
inline send(p, q, what) {
  if
  :: HAS(stopped, q) || HAS(fenced[p], q) -> skip
  :: !HAS(stopped, q) && !HAS(fenced[p], q) && FENCED(q, p) -> skip
  :: else ->
    CHECK(session_capacity_suffices, len(SESSION(p, q)) < CAPACITY);
    SESSION(p, q) ! what
  fi
}

/* The sender drops its pin for handoff h: at the final answer, or at the barrier. */
inline unpin(h) {
  CHECK_RULE(S3_dead_entries_and_pins_leave_only_at_the_barrier,
             !HAS(fenced[sender[h]], receiver[h]) || HAS(over[sender[h]], receiver[h]));
  DEL(pins, h); DEL(asked, h)
}

inline unlist(q) {
  CHECK_RULE(S3_dead_entries_and_pins_leave_only_at_the_barrier, !HAS(fenced[OWNER], q) || HAS(over[OWNER], q));
  DEL(listed, q)
}

/* Every handoff that p has redeemed and not acknowledged gets its final answer (step 5). */
inline acknowledge_all(p) {
  for (k : 0 .. HANDOFFS - 1) {
    if
    :: HAS(owed, k) && receiver[k] == p ->
      DEL(owed, k);
      send(p, sender[k], ITEM(HANDOFF_ACK, k))
    :: else -> skip
    fi
  }
}

/* The handle reports an error by name, Gone or OwnerDied; every handoff of it ends with that answer. */
inline fail(p, answer) {
  DEL(held, p);
  record[p] = FAILED;
  registering[p] = 0;
  if
  :: answer -> acknowledge_all(p)
  :: else ->
    for (k : 0 .. HANDOFFS - 1) {
      if :: receiver[k] == p -> DEL(owed, k) :: else -> skip fi
    }
  fi
}

inline remove_record(p) {
  CHECK_RULE(S2_no_record_with_pending_children_is_removed, !HAS_CHILDREN(p));
  record[p] = NONE;
  DEL(passed, p)
}

/* What follows at once, in the same turn, from whatever p has just done. */
inline settle(p) {
  if
  :: p == OWNER ->
    if
    :: !freed && !HAS(held, OWNER) && listed == 0 && !HAS_CHILDREN(OWNER) ->
      /* Step 8: out of scope. The oracle asks the whole world whether somebody with a promise still holds. */
#ifndef GRACE
      for (k : 1 .. N - 1) {
        CHECK(S4_freed_only_when_nobody_holds, HAS(excluded, OWNER) || HAS(stopped | closed, k) || !HAS(held, k));
        /* An unconfirmed reference with a count of zero is a holder too, but no harm comes of this one alone. */
        CHECK_RULE(S4_freed_only_when_nobody_holds, HAS(excluded, OWNER) || HAS(stopped | closed, k) ||
                   record[k] == NONE || record[k] == FAILED)
      }
#endif
      printf("%d: frees the object\n", p);
      freed = true
    :: else -> skip
    fi
  :: p != OWNER && record[p] == QUEUED && !HAS(held, p) && !HAS(passed, p) ->
    /* Step 4, a short borrow: dropped before Register left, passed to nobody. Only HandoffAck goes out. */
    acknowledge_all(p);
    remove_record(p)
  :: p != OWNER && record[p] == FAILED && !HAS_CHILDREN(p) -> remove_record(p)
  :: else -> skip
  fi;
  /* Step 7 (ii), (iii): report Flushed(v) once no unconfirmed reference has an excluded sender. */
  if
  :: views > 0 ->
    must_wait = false;
    for (k : 0 .. HANDOFFS - 1) {
      must_wait = must_wait || (HAS(owed, k) && receiver[k] == p && HAS(fenced[p], sender[k])
#ifdef MUTATE_FLUSH_COUNTED
                                && HAS(held, p)
#endif
                                && !HAS(fenced[p], OWNER))
    }
    if
    :: !must_wait ->
#ifdef MUTATE_LATEST_VIEW
      for (k : 0 .. views - 1) {
        if :: HAS(fenced[p], excludes[k]) -> ADD(reported[k], p) :: else -> skip fi
      }
#else
      /* A report for an older view can never be waited for again: only the latest is recorded. */
      if :: HAS(fenced[p], excludes[views - 1]) -> ADD(reported[views - 1], p) :: else -> skip fi
#endif
    :: else -> skip
    fi
  :: else -> skip
  fi
}

/* S1: a process is covered if the owner lists it, or if somebody covered pins a handoff to it. Pins and entries
 * of stopped processes count, until the barrier removes them: that is what the barrier is for. A process has the
 * protocol's promise until the barrier of the view that excludes it, even if it is only suspected. */
inline check_world() {
#ifndef GRACE
  if
  :: !HAS(stopped | excluded, OWNER) ->
    covered = listed | (freed -> 0 : ONE(OWNER));
    for (i : 1 .. HANDOFFS) {
      for (k : 0 .. HANDOFFS - 1) {
        covered = covered | ((HAS(pins, k) & HAS(covered, sender[k])) << receiver[k])
      }
    }
    promised = EVERYONE & ~(stopped | closed);
    CHECK(S1_every_reference_has_a_chain_of_pins, (held & promised & ~covered) == 0);
    for (k : 0 .. HANDOFFS - 1) {
      CHECK(S1_every_reference_has_a_chain_of_pins, !HAS(tokens & ~spent, k) || !HAS(promised, receiver[k]) ||
            HAS(fenced[receiver[k]], sender[k]) || (HAS(pins, k) && HAS(covered, sender[k])))
    }
  :: else -> skip
  fi
#else
  skip
#endif
}

/* p does nothing any more: it crashed, or it has read its own exclusion and its handles are invalid by name.
 * What is on its way to it no longer matters, what is on its way from it stays in flight. */
inline stop(p) {
  ADD(stopped, p);
  DEL(held, p); DEL(passed, p);
  record[p] = NONE; registering[p] = 0;
  position[p] = 0; fenced[p] = 0; over[p] = 0;
  for (k : 0 .. HANDOFFS - 1) {
    if :: k < made && receiver[k] == p -> DEL(owed, k); DEL(tokens, k); DEL(doubled, k) :: else -> skip fi;
    if :: k < made && sender[k] == p -> DEL(asked, k) :: else -> skip fi;
    if :: k < made && sender[k] == p && HAS(closed, p) -> DEL(pins, k) :: else -> skip fi
  }
  for (k : 0 .. N - 1) {
    if
    :: k != p ->
      do
      :: len(SESSION(k, p)) > 0 -> SESSION(k, p) ? item
      :: else -> break
      od
    :: else -> skip
    fi
  }
  if :: p == OWNER -> listed = 0; freed = false :: else -> skip fi
}

/* ---- A token reaches its receiver (step 4) --------------------------------------------------------------- */

#ifdef MUTATE_FORGET
#define REMEMBERED(h) false
#else
#define REMEMBERED(h) HAS(spent, h)
#endif

inline import(h, p) {
  if
  :: FENCED(p, sender[h]) -> skip                              /* refused: its sender is excluded */
  :: !FENCED(p, sender[h]) && REMEMBERED(h) ->                 /* the same token again, or one refused before */
    if
    :: p == OWNER && !freed -> ADD(held, p)
    :: p != OWNER && record[p] != NONE && record[p] != FAILED -> ADD(held, p)
    :: else -> skip                                            /* AlreadyRedeemed */
    fi
  :: else ->
    ADD(spent, h);
    if
    :: p == OWNER && !freed ->                                 /* back at the owner: counted at once */
      ADD(held, p);
      send(p, sender[h], ITEM(HANDOFF_ACK, h))
    :: p == OWNER && freed ->
#ifndef GRACE
      CHECK(no_Gone_without_a_cause, HAS(excluded, OWNER) || HAS(stopped | closed, sender[h]));
#endif
#ifndef MUTATE_GONE_UNACKED
      send(p, sender[h], ITEM(HANDOFF_ACK, h))
#else
      skip
#endif
    :: p != OWNER && HAS(over[p], OWNER) ->                    /* OwnerDied, known already */
      send(p, sender[h], ITEM(HANDOFF_ACK, h))
    :: p != OWNER && !HAS(over[p], OWNER) && record[p] == FAILED ->
      send(p, sender[h], ITEM(HANDOFF_ACK, h))
    :: p != OWNER && !HAS(over[p], OWNER) && record[p] == CONFIRMED ->
      ADD(held, p);                                            /* a Release not yet sent is withdrawn */
      send(p, sender[h], ITEM(HANDOFF_ACK, h))
    :: else ->                                                 /* usable at once, Register queued */
      ADD(held, p);
#ifdef MUTATE_EARLY_ACK
      send(p, sender[h], ITEM(HANDOFF_ACK, h));
#endif
      ADD(owed, h);
      if :: record[p] == NONE -> record[p] = QUEUED :: else -> skip fi;
#ifdef MUTATE_LIST_AT_EXPORT
      if
      :: sender[h] == OWNER -> record[p] = CONFIRMED; registering[p] = 0; acknowledge_all(p)
      :: else -> skip
      fi
#endif
    fi
  fi
}

/* ---- An item reaches p from q ------------------------------------------------------------------------------ */

inline apply(q, p) {
  SESSION(q, p) ? item;
  CHECK(S7_nothing_from_an_excluded_id_is_applied, !HAS(fenced[p], q));
  if
  :: KIND(item) == REGISTER ->
    if
    :: !freed ->
      ADD(listed, q);
      send(p, q, ITEM(REGISTER_OK, HANDOFF(item)))
    :: else ->
#ifndef GRACE
      CHECK(no_Gone_without_a_cause, HAS(excluded, OWNER) || HAS(stopped | closed, q) || !HAS(held, q));
      CHECK_RULE(no_Gone_without_a_cause, HAS(excluded, OWNER) || HAS(stopped | closed, q));
#endif
      send(p, q, ITEM(REGISTER_GONE, HANDOFF(item)))
    fi
  :: KIND(item) == RELEASE -> unlist(q)
  :: KIND(item) == REGISTER_OK ->
#ifndef MUTATE_LIST_AT_EXPORT
    CHECK(ack_matches_the_outstanding_register, record[p] == OUTSTANDING && registering[p] == HANDOFF(item));
#endif
    record[p] = CONFIRMED;
    registering[p] = 0;
    acknowledge_all(p)
  :: KIND(item) == REGISTER_GONE ->
    CHECK(ack_matches_the_outstanding_register, record[p] == OUTSTANDING && registering[p] == HANDOFF(item));
#ifdef MUTATE_GONE_UNACKED
    fail(p, false)
#else
    fail(p, true)
#endif
  :: KIND(item) == HANDOFF_ACK -> unpin(HANDOFF(item))
  :: KIND(item) == HANDOFF_CANCEL ->
    if
    :: !HAS(spent, HANDOFF(item)) ->                           /* never seen: refused from now on */
      ADD(spent, HANDOFF(item));
      send(p, q, ITEM(HANDOFF_ACK, HANDOFF(item)))
    :: else -> skip                                            /* redeemed: HandoffAck comes in its time */
    fi
  fi
}

inline tell_item(q, p) {
  if
  :: KIND(item) == REGISTER -> printf("%d: gets Register from %d\n", p, q)
  :: KIND(item) == REGISTER_OK -> printf("%d: gets RegisterAck(Ok)\n", p)
  :: KIND(item) == REGISTER_GONE -> printf("%d: gets RegisterAck(Gone)\n", p)
  :: KIND(item) == RELEASE -> printf("%d: gets Release from %d\n", p, q)
  :: KIND(item) == HANDOFF_ACK -> printf("%d: gets HandoffAck of handoff %d from %d\n", p, HANDOFF(item), q)
  :: KIND(item) == HANDOFF_CANCEL -> printf("%d: gets HandoffCancel of handoff %d from %d\n", p, HANDOFF(item), q)
  fi
}

/* ---- p reads the next event of the membership stream (step 7) ---------------------------------------------- */

/* Barrier seen, or grace over, for the processes in gone_ids: only now do their entries and the pins for them go. */
inline close_exclusions(p) {
#ifndef GRACE
  CHECK_RULE(S3_dead_entries_and_pins_leave_only_at_the_barrier, (gone_ids & ~closed) == 0);
#endif
  over[p] = over[p] | gone_ids;
  for (k : 0 .. HANDOFFS - 1) {
    if
    :: k < made && sender[k] == p && HAS(gone_ids, receiver[k]) -> unpin(k)
    :: else -> skip
    fi
  }
  if
  :: p == OWNER -> listed = listed & ~gone_ids
  :: p != OWNER && HAS(gone_ids, OWNER) && record[p] != NONE -> fail(p, true)      /* OwnerDied */
  :: else -> skip
  fi
}

inline read_membership(p) {
  event = stream[position[p]];
  position[p]++;
  if
  :: event < BARRIER(0) ->
    x = excludes[event - VIEW(0)];
    if
    :: x == p -> stop(p)
    :: else ->
      /* (i) x is fenced: what is in flight from it will be refused, and is taken out here. */
      ADD(fenced[p], x);
      do
      :: len(SESSION(x, p)) > 0 -> SESSION(x, p) ? item
      :: else -> break
      od;
      for (k : 0 .. HANDOFFS - 1) {
        if
        :: k < made && sender[k] == x && receiver[k] == p -> DEL(tokens, k); DEL(doubled, k)
        :: else -> skip
        fi;
#ifdef MUTATE_DEAD_RECEIVER
        if :: k < made && sender[k] == p && receiver[k] == x -> unpin(k) :: else -> skip fi;
#endif
      }
#ifdef MUTATE_BARRIER
      if :: p == OWNER -> DEL(listed, x) :: else -> skip fi;
#endif
    fi
  :: else ->
    gone_ids = 0;
    for (k : 0 .. event - BARRIER(0)) { ADD(gone_ids, excludes[k]) }
    close_exclusions(p)
  fi
}

/* ---- The processes ------------------------------------------------------------------------------------------ */

/* One turn of the pump: the guard, what happens, what follows from it at once, and the oracle's question. What is
 * printed appears when SPIN replays a trail (run.sh --explain), and makes it readable. */
#define TURN(guard, action) :: d_step { WORKING(me) && (guard) -> action; \
    if :: WORKING(me) -> settle(me) :: else -> skip fi; check_world() }

#define DELIVERY(q) TURN(q < N && q != me && len(SESSION(q, me)) > 0, apply(q, me); tell_item(q, me))
#define TOKEN_ARRIVES(h) TURN(HAS(tokens, h) && receiver[h] == me, \
    printf("%d: token of handoff %d arrives from %d\n", me, h, sender[h]); DEL(tokens, h); DEL(doubled, h); import(h, me))
#define TOKEN_ARRIVES_TWICE(h) TURN(HAS(tokens & ~doubled, h) && receiver[h] == me, \
    printf("%d: token of handoff %d arrives from %d, and will again\n", me, h, sender[h]); ADD(doubled, h); import(h, me))
#define CANCELS(h) TURN(HAS(pins & ~asked, h) && sender[h] == me && !HAS(fenced[me], receiver[h]), \
    printf("%d: sends HandoffCancel of handoff %d\n", me, h); ADD(asked, h); send(me, receiver[h], ITEM(HANDOFF_CANCEL, h)))
#define EXPORTS(to) TURN(to < N && to != me && made < HANDOFFS && HAS(held, me) && \
    !HAS(fenced[me], to) && ROUTE(made, me, to), printf("%d: exports to %d, handoff %d\n", me, to, made); export(me, to))

/* Which handoffs there are: a chain, or any (the first from the owner to process 1: the others are like it). */
#ifdef CHAIN
#define ROUTE(h, from, to) ((from) == (h) && (to) == (h) + 1)
#else
#define ROUTE(h, from, to) ((h) > 0 || (to) == 1)
#endif

#ifdef NO_OWNER_DEATH
#define EXCLUDABLE(p) ((p) != OWNER)
#else
#define EXCLUDABLE(p) true
#endif

inline export(p, q) {
  sender[made] = p;
  receiver[made] = q;
  ADD(pins, made);
  if :: p != OWNER -> ADD(passed, p) :: else -> skip fi;
#ifdef MUTATE_LIST_AT_EXPORT
  if :: p == OWNER -> ADD(listed, q) :: else -> skip fi;
#endif
  /* A token to a stopped process, or to one that has fenced the sender, is as good as lost. */
  if
  :: HAS(stopped, q) -> skip
  :: !HAS(stopped, q) && FENCED(q, p) -> skip
  :: else -> ADD(tokens, made)
  fi;
  made++
}

inline send_register(p) {
  record[p] = OUTSTANDING;
  for (k : 0 .. HANDOFFS - 1) {
    if :: HAS(owed, k) && receiver[k] == p -> registering[p] = k :: else -> skip fi
  }
  send(p, OWNER, ITEM(REGISTER, registering[p]))
}

#ifdef MUTATE_EARLY_RELEASE
#define MAY_RELEASE(p) true
#else
#define MAY_RELEASE(p) (!HAS_CHILDREN(p))
#endif

inline send_release(p) {
  send(p, OWNER, ITEM(RELEASE, 0));
  remove_record(p)
}

active [N] proctype Process() {
#define me _pid
end:
  do
  DELIVERY(0)
  DELIVERY(1)
  DELIVERY(2)
#if N > 3
  DELIVERY(3)
#endif
  TOKEN_ARRIVES(0)
  TOKEN_ARRIVES(1)
#if HANDOFFS > 2
  TOKEN_ARRIVES(2)
#endif
#if HANDOFFS > 3
  TOKEN_ARRIVES(3)
#endif
#ifndef NO_DOUBLES
  TOKEN_ARRIVES_TWICE(0)
  TOKEN_ARRIVES_TWICE(1)
#if HANDOFFS > 2
  TOKEN_ARRIVES_TWICE(2)
#endif
#if HANDOFFS > 3
  TOKEN_ARRIVES_TWICE(3)
#endif
#endif
  EXPORTS(0)
  EXPORTS(1)
  EXPORTS(2)
#if N > 3
  EXPORTS(3)
#endif
  /* The host drops its last handle. */
  TURN(HAS(held, me), printf("%d: drops its handle\n", me); DEL(held, me))
  /* Step 4: Register leaves, now or later; it never goes to an excluded owner. */
  TURN(me != OWNER && record[me] == QUEUED && !HAS(fenced[me], OWNER),
       printf("%d: sends Register\n", me); send_register(me))
  /* Step 6: Release leaves only when confirmed, at count zero and without pending children. */
  TURN(me != OWNER && record[me] == CONFIRMED && !HAS(held, me) && !HAS(fenced[me], OWNER) && MAY_RELEASE(me),
       printf("%d: sends Release\n", me); send_release(me))
#ifndef NO_CANCEL
  CANCELS(0)
  CANCELS(1)
#if HANDOFFS > 2
  CANCELS(2)
#endif
#if HANDOFFS > 3
  CANCELS(3)
#endif
#endif
  TURN(position[me] < streamed, printf("%d: reads event %d of the membership stream\n", me, position[me]); read_membership(me))
#ifdef GRACE
  /* Step 7 without a barrier: grace runs from this process's own sight of the view. */
  TURN(over[me] != fenced[me], printf("%d: grace is over\n", me); gone_ids = fenced[me] & ~over[me]; close_exclusions(me))
#endif
#ifndef NO_CRASH
  /* At any moment. Exclusion follows, some time. */
  TURN(faults < EXCLUSIONS && !HAS(excluded, me) && EXCLUDABLE(me), printf("%d: crashes\n", me); faults++; stop(me))
#endif
  od
}

/* ---- Membership and the host's network --------------------------------------------------------------------- */

inline exclude(p) {
#ifndef MUTATE_LATEST_VIEW
  if :: views > 0 -> reported[views - 1] = 0 :: else -> skip fi;    /* that view's barrier will not come alone */
#endif
  printf("membership: view %d excludes %d\n", views + 1, p);
  excludes[views] = p;
  stream[streamed] = VIEW(views);
  streamed++;
  views++;
  ADD(excluded, p)
}

/* Barrier(v), closing all views up to v. */
inline announce_barrier(v) {
  printf("membership: barrier(%d)\n", (v) + 1);
  stream[streamed] = BARRIER(v);
  streamed++;
  for (i : 0 .. v) {
    ADD(closed, excludes[i]);
    for (k : 0 .. HANDOFFS - 1) {       /* a stopped process's pins need not be remembered any longer */
      if
      :: k < made && sender[k] == excludes[i] && HAS(stopped, excludes[i]) -> DEL(pins, k)
      :: else -> skip
      fi
    }
  }
}

#ifdef SUSPICION
#define EXCLUSION(p) :: d_step { p < N && !HAS(excluded, p) && EXCLUDABLE(p) && (HAS(stopped, p) || faults < EXCLUSIONS) -> \
    if :: HAS(stopped, p) -> skip :: else -> faults++ fi; exclude(p); check_world() }
#else
#define EXCLUSION(p) :: d_step { p < N && !HAS(excluded, p) && HAS(stopped, p) -> exclude(p); check_world() }
#endif
#define BARRIER_COMPLETE(v) (views > (v) && !HAS(closed, excludes[v]) && ((reported[v] | excluded) == EVERYONE))
#define LOSS(h) :: d_step { HAS(tokens, h) -> printf("network: loses the token of handoff %d\n", h); \
    DEL(tokens, h); DEL(doubled, h); check_world() }

active proctype World() {
end:
  do
  EXCLUSION(0)
  EXCLUSION(1)
  EXCLUSION(2)
#if N > 3
  EXCLUSION(3)
#endif
#ifndef GRACE
  /* Only while v is the latest view, and when all that it does not exclude have reported. */
  :: d_step { views == 1 && BARRIER_COMPLETE(0) -> announce_barrier(0); check_world() }
#if EXCLUSIONS > 1
  :: d_step { views == 2 && BARRIER_COMPLETE(1) -> announce_barrier(1); check_world() }
#ifdef MUTATE_LATEST_VIEW
  :: d_step { views == 2 && BARRIER_COMPLETE(0) -> announce_barrier(0); check_world() }
#endif
#endif
#endif
#ifndef NO_LOSS
  LOSS(0)
  LOSS(1)
#if HANDOFFS > 2
  LOSS(2)
#endif
#if HANDOFFS > 3
  LOSS(3)
#endif
#endif
  od
}

/* ---- The end: when nothing can happen any more, nothing may be left ----------------------------------------- */

active proctype End() {
  timeout ->
  d_step {
    CHECK(end_every_barrier_closed, (stopped & ~excluded) == 0);
#ifndef GRACE
    CHECK(end_every_barrier_closed, closed == excluded);
#endif
    for (k : 0 .. N - 1) {
      if
      :: WORKING(k) ->
        CHECK(end_every_record_removed, !HAS(held, k) && record[k] == NONE);
        CHECK(end_every_handoff_ended, !HAS_CHILDREN(k))
      :: else -> skip
      fi
    }
    for (k : 0 .. HANDOFFS - 1) {
      CHECK(end_every_handoff_ended, k >= made || !HAS(owed, k) || HAS(stopped, receiver[k]))
    }
    if
    :: WORKING(OWNER) ->
      CHECK(end_borrower_list_empty, listed == 0);
      CHECK(end_object_freed, freed)
    :: else -> skip
    fi
  }
}
