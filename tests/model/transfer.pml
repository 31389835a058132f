/*
 * transfer.pml: the transfer of ownership (PROTOCOL.md, step 11), for the SPIN model checker.
 *
 * One object. O owns it and hands it to P; B borrows it; the node agent A holds a copy. As in borrowing.pml each
 * step is one turn of one process (one d_step), and the checker tries every order of turns. The world:
 *
 *   sessions      one FIFO channel per ordered pair, exactly once while both ends live. What a dead process
 *                 had in flight arrives, or a prefix of it arrives, until the receiver sees the view;
 *   tokens        from O to B: late, in any order. What else can happen to one is in borrowing.pml;
 *   membership    one stream of views and barriers; each process reads it at its own pace;
 *   crash         of anybody, at any moment; false suspicion: the excluded one works on, until it reads its view.
 *
 * What is checked: S4, S5, S6 and S7 at each step, no Gone and no OwnerDied without a cause, and a clean world in
 * every end state. README.md says what is left out. run.sh says with which parameters it runs.
 *
 * Every set of processes or handoffs is a bit mask. "Hidden" variables are scratch and not part of the state.
 */

/* ---- Parameters (all may be given as -D to spin) --------------------------------------------------------- */

#ifndef HANDOFFS
#define HANDOFFS 1          /* references that O sends to B, besides the one that B has from the start; at most 2 */
#endif
#ifndef EXCLUSIONS
#define EXCLUSIONS 1        /* crashes and false suspicions together, at most 2 */
#endif
#ifndef CAPACITY
#define CAPACITY 5          /* items in flight per session; running over is reported as an error */
#endif
#ifndef VICTIMS
#define VICTIMS EVERYONE    /* who may be excluded */
#endif
/*
 * SUSPICION       an exclusion may also hit a live process, which works on until it reads its view.
 *
 * Rules removed, each of which must make the checker find a failure:
 * NO_MOVED_ANSWER_BEFORE_FLUSH  Flushed is reported while a Moved is unanswered
 * NO_DROP_OF_CLOSED_IDS         P takes over borrowers whose barrier it has already seen
 * NO_FORWARDING_UNTIL_GONE      O's entry goes with Settled, not with ObjectGone
 * NO_WAIT_FOR_COMMIT            P is active from Transfer
 * NO_HOLDING_BY_OLD_OWNER       O answers Register, Release and Location while frozen
 * NO_HOLDING_BY_NEW_OWNER       P answers Register and Location before it is active
 * NO_FREEZE                     O frees while frozen
 * NO_IGNORED_RELEASE            O forwards Release to P
 * NO_MOVED_BY_OLD_OWNER         O sends no Moved when P is excluded before Settled
 * NO_SETTLED_BEFORE_GONE        ObjectGone leaves although a Moved is unanswered
 * NO_REGISTER_BEFORE_ANSWER     B answers Moved before it registers what the excluded O cannot list any more
 * NO_UNFREEZE                   O stays frozen when P is excluded before Commit
 */
#if defined(NO_MOVED_ANSWER_BEFORE_FLUSH) || defined(NO_DROP_OF_CLOSED_IDS) || defined(NO_FORWARDING_UNTIL_GONE) || \
    defined(NO_WAIT_FOR_COMMIT) || defined(NO_FREEZE) || defined(NO_IGNORED_RELEASE) || \
    defined(NO_MOVED_BY_OLD_OWNER) || defined(NO_SETTLED_BEFORE_GONE) || defined(NO_UNFREEZE) || \
    defined(NO_REGISTER_BEFORE_ANSWER) || defined(NO_HOLDING_BY_OLD_OWNER) || defined(NO_HOLDING_BY_NEW_OWNER)
#define MUTATED
#endif

/* ---- Sets ------------------------------------------------------------------------------------------------ */

#define N 4
#define O 0                 /* owns the object at term 0 */
#define P 1                 /* ... at term 1. So a process that knows the term knows the owner, and the reverse */
#define B 2                 /* borrows it */
#define A 3                 /* node agent, with one copy */
#define EVERYONE 15
#define ONE(i) (1 << (i))
#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = (set) | ONE(i)
#define DEL(set, i) set = (set) & ~ONE(i)

/* ---- The old owner --------------------------------------------------------------------------------------- */

#define OWNS 0              /* term 0; also again, if P is excluded before Commit */
#define FROZEN 1            /* Transfer has left: what would change the snapshot is held, nothing is freed */
#define FORWARDS 2          /* Commit has left: O is a borrower of P, and answers MovedTo */
#define FORGOT 3            /* no entry: the object is gone */
byte old;
bool transferred;           /* one transfer is tried */
bool old_holds = true;      /* O's own handle */
bool old_borrows;           /* O is a confirmed borrower of P, and has not released */
byte old_list = ONE(B);     /* borrowers at O. Frozen with the snapshot, which it is part of */
byte old_copies;            /* ... and nodes with a copy */
byte old_moving;            /* who has still to answer a Moved of O's */
bool settled;               /* O has Settled from P */

/* ---- The new owner --------------------------------------------------------------------------------------- */

#define NOTHING 0
#define PREPARED 1          /* has acknowledged the snapshot; holds items with the new term */
#define ACTIVE 2            /* from Commit, or from the view that excludes O */
#define FREED 3             /* out of scope, but a Moved is unanswered */
#define GONE 4              /* ObjectGone has left, nothing is known of the object any more */
byte new;
byte new_list;              /* borrowers at P */
byte new_copies;            /* nodes with a copy */
byte new_moving;            /* who has still to answer a Moved of P's */
bool new_settled;           /* Settled has left */

/* ---- The borrower ---------------------------------------------------------------------------------------- */

#define NONE 0              /* no record of the object */
#define QUEUED 1            /* unconfirmed: no Register has left */
#define OUTSTANDING 2       /* unconfirmed: Register has left, its final answer has not come */
#define CONFIRMED 3
byte record = CONFIRMED;
bool held = true;           /* a live, usable handle */
byte owner;                 /* whom B takes for the owner: O or P */
byte asked;                 /* which of them has the outstanding Register */
byte registering;           /* the handoff which that one names */
bool told;                  /* for the oracle: B has learnt once that P is the owner */
bool unmoved;               /* ... and this reference came later, and names O: nobody need move it */

/* ---- The node agent -------------------------------------------------------------------------------------- */

bool copy;                  /* the node has a copy */
bool produced;              /* ... or has had it: there is one */
byte copy_owner;            /* the owner recorded with the copy */

/* ---- Handoffs O -> B ------------------------------------------------------------------------------------- */

byte made;
byte pins;                  /* O's pending children */
byte tokens, terms;         /* tokens in flight, and the term that each names */
byte owed;                  /* redeemed by B, HandoffAck not yet sent */

/* ---- Membership: as in borrowing.pml --------------------------------------------------------------------- */

#define VIEW(v) ((v) + 1)
#define BARRIER(v) ((v) + 16)
#if EXCLUSIONS > 0
#define VIEWS EXCLUSIONS
#else
#define VIEWS 1
#endif
byte stream[2 * VIEWS], streamed;
byte views, excludes[VIEWS];        /* view v excludes the process excludes[v] */
byte reported;              /* processes that have reported Flushed of the latest view */
byte excluded;              /* excluded by some view in the stream */
byte closed;                /* ... by a view which a barrier in the stream has closed */
byte stopped;               /* crashed, or has read its own exclusion */
byte faults;
byte position[N];           /* what this process has read of the stream */
byte fenced[N];             /* whom it knows to be excluded */
byte over[N];               /* ... and by a view whose barrier it has seen */

/* ---- Sessions -------------------------------------------------------------------------------------------- */

#define REGISTER 1          /* handoff */
#define REGISTER_OK 2       /* handoff */
#define REGISTER_GONE 3     /* handoff */
#define MOVED_TO 4          /* answers a Register or a Location that reached O too late */
#define RELEASE 5
#define HANDOFF_ACK 6       /* handoff */
#define TRANSFER 7          /* the snapshot: 1 if B is listed, + 2 if A has a copy; O always is */
#define TRANSFER_ACK 8
#define COMMIT 9
#define MOVED 10
#define MOVED_ACK 11        /* 1 if the borrower, or the node, holds */
#define SETTLED 12
#define OBJECT_GONE 13
#define LOCATION 14         /* 1 added, 0 removed */
#define FREE 15
#define RELEASE_OF_B 16     /* only under NO_IGNORED_RELEASE */
#define ITEM(kind, value) ((kind) * 4 + (value))
#define KIND(item) ((item) / 4)
#define VALUE(item) ((item) % 4)

chan session[N * (N - 1)] = [CAPACITY] of { byte };
#define SESSION(from, to) session[(from) * (N - 1) + ((to) > (from) -> (to) - 1 : (to))]

/* ---- Scratch --------------------------------------------------------------------------------------------- */

hidden byte item, event, k, x, gone_ids;
hidden byte must_wait;

/* What the checker prints when an assert fails is the name of one of these. */
hidden byte S4_freed_only_when_nobody_holds;
hidden byte S5_one_active_owner;
hidden byte S6_no_copy_deleted_under_a_living_owner;
hidden byte S7_nothing_from_an_excluded_id_is_applied;
hidden byte no_Gone_without_a_cause, no_OwnerDied_without_a_cause;
hidden byte ack_matches_the_outstanding_register;
hidden byte item_is_expected_here;
hidden byte session_capacity_suffices;
hidden byte end_every_barrier_closed, end_every_record_removed, end_every_handoff_ended;
hidden byte end_transfer_ended, end_no_copy_left, end_object_gone;

#define CHECK(name, truth) name = (truth); assert(name)
/* A check that only restates one of the rules: off when a rule is removed, so that the harm itself must be found. */
#ifdef MUTATED
#define CHECK_RULE(name, truth) skip
#else
#define CHECK_RULE(name, truth) CHECK(name, truth)
#endif

#define WORKING(p) (!HAS(stopped, p))
/* P lives and owns the object, or will as soon as it reads what is on its way to it. */
#define ADOPTED (WORKING(P) && !HAS(excluded, P) && (new == ACTIVE || new == FREED || \
                 (new == PREPARED && (HAS(excluded, O) || old == FORWARDS))))
#define OLD_OWNER_LIVES (WORKING(O) && !HAS(excluded, O) && (old == OWNS || old == FROZEN))

/* ---- Pieces of a turn ------------------------------------------------------------------------------------ */

/* Puts an item into the session p->q. The session is over once p knows that q is excluded; what q would
 * discard, because q has fenced p, is left out to keep the state small. */
inline send(p, q, what) {
  if
  :: HAS(stopped, q) || HAS(fenced[p], q) || HAS(fenced[q], p) -> skip
  :: else ->
    CHECK(session_capacity_suffices, len(SESSION(p, q)) < CAPACITY);
    SESSION(p, q) ! what
  fi
}

inline acknowledge_all() {
  for (k : 0 .. HANDOFFS - 1) {
    if
    :: HAS(owed, k) -> DEL(owed, k); send(B, O, ITEM(HANDOFF_ACK, k))
    :: else -> skip
    fi
  }
}

inline remove_record() {
  record = NONE; owner = O; asked = O; registering = 0; unmoved = false
}

/* B's handle reports an error by name. */
inline fail() {
  held = false;
  acknowledge_all();
  remove_record()
}

inline send_register() {
  record = OUTSTANDING;
  asked = owner;
  for (k : 0 .. HANDOFFS - 1) {
    if :: HAS(owed, k) -> registering = k :: else -> skip fi
  }
  send(B, owner, ITEM(REGISTER, registering))
}

inline delete_copy() {
  copy = false; copy_owner = O
}

/* B learns that P is the owner. What an excluded O can no longer list is registered at P in the same turn, hence
 * before the answer to Moved: B may have reported Flushed already, when its owner was excluded and not waited for. */
inline learn() {
  if :: record != NONE -> owner = P :: else -> skip fi;
  if
  :: record == OUTSTANDING && asked == O && HAS(fenced[B], O) -> send_register()
#ifndef NO_REGISTER_BEFORE_ANSWER
  :: record == QUEUED && HAS(fenced[B], O) && !HAS(fenced[B], P) -> send_register()
#endif
  :: else -> skip
  fi
}

inline activate() {
  new = ACTIVE;
  new_moving = ((new_list & ONE(B)) | (new_copies & ONE(A))) & ~fenced[P];
  if :: HAS(new_moving, B) -> send(P, B, ITEM(MOVED, 0)) :: else -> skip fi;
  if :: HAS(new_moving, A) -> send(P, A, ITEM(MOVED, 0)) :: else -> skip fi
}

/* The oracle, when the owner p frees: nobody with a promise holds. A reference whose owner is still O to B at the
 * barrier has none: B reports OwnerDied when it reads the barrier, and whether it may is asked then. */
#define DIED_WITH_O (HAS(closed, O) && owner == O)
#define NOBODY_HOLDS(p) (HAS(excluded, p) || HAS(stopped | excluded, B) || !held || (p == P && DIED_WITH_O))

/* What follows at once, in the same turn, from whatever p has just done. */
inline settle(p) {
  must_wait = false;
  if
  :: p == O ->
    if
#ifdef NO_FREEZE
    :: (old == OWNS || old == FROZEN) && !old_holds && old_list == 0 && pins == 0 ->
#else
    :: old == OWNS && !old_holds && old_list == 0 && pins == 0 ->
#endif
      CHECK(S4_freed_only_when_nobody_holds, NOBODY_HOLDS(O));
      printf("O: frees the object\n");
      old = FORGOT;
      if :: HAS(old_copies, A) -> send(O, A, ITEM(FREE, 0)) :: else -> skip fi;
      old_copies = 0
    :: else -> skip
    fi;
#ifndef NO_MOVED_ANSWER_BEFORE_FLUSH
    must_wait = (old_moving != 0)
#endif
  :: p == P ->
    if
    :: new == ACTIVE && new_list == 0 ->
      CHECK(S4_freed_only_when_nobody_holds, NOBODY_HOLDS(P));
      printf("P: frees the object\n");
      new = FREED;
      if :: HAS(new_copies, A) -> send(P, A, ITEM(FREE, 0)) :: else -> skip fi;
      new_copies = 0
    :: else -> skip
    fi;
    if
    :: (new == ACTIVE || new == FREED) && new_moving == 0 && !new_settled ->
      new_settled = true;
      send(P, O, ITEM(SETTLED, 0))
    :: else -> skip
    fi;
    if
#ifdef NO_SETTLED_BEFORE_GONE
    :: new == FREED ->
#else
    :: new == FREED && new_settled ->
#endif
      new = GONE;
      new_settled = false;
      send(P, O, ITEM(OBJECT_GONE, 0))
    :: else -> skip
    fi;
#ifndef NO_MOVED_ANSWER_BEFORE_FLUSH
    must_wait = (new_moving != 0)
#endif
  :: p == B ->
    if
    :: record != NONE && HAS(over[B], owner) ->
      CHECK(no_OwnerDied_without_a_cause, HAS(excluded, B) || !held ||
            !(OLD_OWNER_LIVES || (ADOPTED && (record == CONFIRMED || (HAS(new_list, B) && !unmoved)))));
      printf("B: reports OwnerDied\n");
      fail()
    :: else -> skip
    fi;
    if
    :: record == QUEUED && !held -> acknowledge_all(); remove_record()       /* a short borrow */
    :: else -> skip
    fi;
    /* Step 7 (ii): every unconfirmed reference whose sender is excluded, unless its owner is as well. */
    must_wait = (owed != 0 && HAS(fenced[B], O) && !HAS(fenced[B], owner))
  :: p == A ->
    if
    :: copy && HAS(over[A], copy_owner) ->
      CHECK(S6_no_copy_deleted_under_a_living_owner, HAS(excluded, A) ||
            !(OLD_OWNER_LIVES || (ADOPTED && HAS(new_copies, A))));
      printf("A: deletes the copy, its owner died\n");
      delete_copy()
    :: else -> skip
    fi
  fi;
  if
  :: views > 0 && !must_wait && HAS(fenced[p], excludes[views - 1]) -> ADD(reported, p)
  :: else -> skip
  fi
}

inline check_world() {
  CHECK(S5_one_active_owner, !(WORKING(O) && old == OWNS && WORKING(P) && new == ACTIVE))
}

/* p does nothing any more. What is on its way to it no longer matters, what is on its way from it stays in flight. */
inline stop(p) {
  ADD(stopped, p);
  position[p] = 0; fenced[p] = 0; over[p] = 0;
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
  if
  :: p == O ->
    old_list = 0; old_copies = 0; pins = 0; old_holds = false; old_borrows = false; old_moving = 0; settled = false
  :: p == P ->
    new_list = 0; new_copies = 0; new_moving = 0; new_settled = false
  :: p == B ->
    remove_record(); told = false; held = false; owed = 0; tokens = 0; terms = 0
  :: p == A ->
    delete_copy(); produced = true
  fi
}

/* ---- An item reaches p from q ---------------------------------------------------------------------------- */

inline apply_old(q) {
  if
  :: KIND(item) == REGISTER ->
    if
    :: old == OWNS || old == FROZEN -> ADD(old_list, q); send(O, q, ITEM(REGISTER_OK, VALUE(item)))
    :: old == FORWARDS -> send(O, q, ITEM(MOVED_TO, VALUE(item)))
    :: else ->
      CHECK(no_Gone_without_a_cause, HAS(excluded, O) || HAS(stopped | excluded, B) || HAS(excluded, P) || !held);
      send(O, q, ITEM(REGISTER_GONE, VALUE(item)))
    fi
  :: KIND(item) == RELEASE ->
    if
    :: old == OWNS || old == FROZEN -> DEL(old_list, q)
#ifdef NO_IGNORED_RELEASE
    :: old == FORWARDS -> send(O, P, ITEM(RELEASE_OF_B, 0))
#endif
    :: else -> skip                                            /* Moved's answer tells P */
    fi
  :: KIND(item) == LOCATION ->
    if
    :: (old == OWNS || old == FROZEN) && VALUE(item) == 1 -> ADD(old_copies, q)
    :: (old == OWNS || old == FROZEN) && VALUE(item) == 0 -> DEL(old_copies, q)
    :: old == FORWARDS -> send(O, q, ITEM(MOVED_TO, 0))
    :: else -> send(O, q, ITEM(FREE, 0))
    fi
  :: KIND(item) == HANDOFF_ACK -> DEL(pins, VALUE(item))
  :: KIND(item) == TRANSFER_ACK ->
    if
    :: old == FROZEN -> old = FORWARDS; old_borrows = true; send(O, P, ITEM(COMMIT, 0))
    :: else -> skip
    fi
  :: KIND(item) == SETTLED ->
    settled = true;
#ifdef NO_FORWARDING_UNTIL_GONE
    if :: old == FORWARDS -> old = FORGOT :: else -> skip fi
#endif
  :: KIND(item) == OBJECT_GONE ->
    CHECK_RULE(item_is_expected_here, old == FORWARDS && settled);
    old = FORGOT
  :: KIND(item) == MOVED_ACK -> DEL(old_moving, q)
  fi
}

inline apply_new(q) {
  if
  :: KIND(item) == TRANSFER ->
    new_list = ONE(O) | (HAS(VALUE(item), 0) << B);
    new_copies = (HAS(VALUE(item), 1) << A);
#ifndef NO_DROP_OF_CLOSED_IDS
    new_list = new_list & ~over[P];
    new_copies = new_copies & ~over[P];
#endif
    new = PREPARED;
    send(P, O, ITEM(TRANSFER_ACK, 0));
#ifdef NO_WAIT_FOR_COMMIT
    activate()
#endif
  :: KIND(item) == COMMIT -> if :: new == PREPARED -> activate() :: else -> skip fi
  :: KIND(item) == REGISTER ->
    if
    :: new == ACTIVE -> ADD(new_list, q); send(P, q, ITEM(REGISTER_OK, VALUE(item)))
    :: else ->
      CHECK_RULE(item_is_expected_here, new == FREED || new == GONE);
      CHECK(no_Gone_without_a_cause, HAS(excluded, P) || HAS(stopped | excluded, B) || !held);
      send(P, q, ITEM(REGISTER_GONE, VALUE(item)))
    fi
  :: KIND(item) == RELEASE || KIND(item) == RELEASE_OF_B ->
    if
    :: KIND(item) == RELEASE -> DEL(new_list, q)
    :: else -> DEL(new_list, B)
    fi
  :: KIND(item) == LOCATION ->
    if
    :: new == ACTIVE && VALUE(item) == 1 -> ADD(new_copies, q)
    :: new == ACTIVE && VALUE(item) == 0 -> DEL(new_copies, q)
    :: else -> CHECK_RULE(item_is_expected_here, new == FREED || new == GONE); send(P, q, ITEM(FREE, 0))
    fi
  :: KIND(item) == MOVED_ACK ->
    DEL(new_moving, q);
    if
    :: q == B && VALUE(item) == 0 -> DEL(new_list, B)
    :: q == A && VALUE(item) == 0 -> DEL(new_copies, A)
    :: else -> skip
    fi
  fi
}

/* An answer that does not match the outstanding Register is ignored: O's may come when P, whom B knows for the owner,
 * has been excluded, and B has reported OwnerDied. */
#define MATCHES(q) (record == OUTSTANDING && registering == VALUE(item) && asked == (q))

inline apply_borrower(q) {
  if
  :: KIND(item) == MOVED ->
    learn();
    told = true;
    send(B, q, ITEM(MOVED_ACK, (record == CONFIRMED || record == OUTSTANDING -> 1 : 0)))
  :: KIND(item) != MOVED && !MATCHES(q) ->
    CHECK_RULE(ack_matches_the_outstanding_register, HAS(excluded, P))
  :: KIND(item) == REGISTER_OK && MATCHES(q) ->
    record = CONFIRMED; asked = O; registering = 0;
    acknowledge_all()
  :: KIND(item) == REGISTER_GONE && MATCHES(q) -> fail()
  :: KIND(item) == MOVED_TO && MATCHES(q) ->
    owner = P; told = true; unmoved = false;
    send_register()
  fi
}

inline apply_agent(q) {
  if
  :: KIND(item) == MOVED_TO ->
    if :: copy -> copy_owner = P; send(A, P, ITEM(LOCATION, 1)) :: else -> skip fi
  :: KIND(item) == MOVED ->
    if :: copy -> copy_owner = P :: else -> skip fi;
    send(A, q, ITEM(MOVED_ACK, copy))
  :: KIND(item) == FREE ->
    if
    :: copy && copy_owner == q ->
      CHECK(S6_no_copy_deleted_under_a_living_owner, HAS(excluded, A) || HAS(excluded, q) ||
            !(OLD_OWNER_LIVES || (ADOPTED && new != FREED)));
      printf("A: deletes the copy, it was freed\n");
      delete_copy()
    :: else -> skip
    fi
  fi
}

inline apply(q, p) {
  SESSION(q, p) ? item;
  CHECK(S7_nothing_from_an_excluded_id_is_applied, !HAS(fenced[p], q));
  if
  :: p == O -> apply_old(q)
  :: p == P -> apply_new(q)
  :: p == B -> apply_borrower(q)
  :: p == A -> apply_agent(q)
  fi
}

inline tell_item(q, p) {
  if
  :: KIND(item) == REGISTER -> printf("%d: gets Register from %d\n", p, q)
  :: KIND(item) == REGISTER_OK -> printf("%d: gets RegisterAck(Ok) from %d\n", p, q)
  :: KIND(item) == REGISTER_GONE -> printf("%d: gets RegisterAck(Gone) from %d\n", p, q)
  :: KIND(item) == MOVED_TO -> printf("%d: gets MovedTo(1) from %d\n", p, q)
  :: KIND(item) == RELEASE -> printf("%d: gets Release from %d\n", p, q)
  :: KIND(item) == HANDOFF_ACK -> printf("%d: gets HandoffAck from %d\n", p, q)
  :: KIND(item) == TRANSFER -> printf("%d: gets Transfer from %d\n", p, q)
  :: KIND(item) == TRANSFER_ACK -> printf("%d: gets TransferAck from %d\n", p, q)
  :: KIND(item) == COMMIT -> printf("%d: gets Commit from %d\n", p, q)
  :: KIND(item) == MOVED -> printf("%d: gets Moved from %d\n", p, q)
  :: KIND(item) == MOVED_ACK -> printf("%d: gets MovedAck(%d) from %d\n", p, VALUE(item), q)
  :: KIND(item) == SETTLED -> printf("%d: gets Settled from %d\n", p, q)
  :: KIND(item) == OBJECT_GONE -> printf("%d: gets ObjectGone from %d\n", p, q)
  :: KIND(item) == LOCATION -> printf("%d: gets Location(%d) from %d\n", p, VALUE(item), q)
  :: KIND(item) == FREE -> printf("%d: gets Free from %d\n", p, q)
  :: KIND(item) == RELEASE_OF_B -> printf("%d: gets the Release of 2 from %d\n", p, q)
  fi
}

/* ---- A token reaches B ----------------------------------------------------------------------------------- */

inline import(h) {
  DEL(tokens, h);
  if
  :: HAS(fenced[B], O) -> skip                                 /* refused: its sender is excluded */
  :: else ->
    held = true;
    if
    :: HAS(terms, h) -> owner = P; told = true; unmoved = false      /* the higher term wins */
    :: !HAS(terms, h) && record == NONE -> unmoved = told
    :: else -> skip
    fi;
    if
    :: record == CONFIRMED -> send(B, O, ITEM(HANDOFF_ACK, h))
    :: else ->
      ADD(owed, h);
      if :: record == NONE -> record = QUEUED :: else -> skip fi
    fi
  fi;
  DEL(terms, h)
}

/* ---- p reads the next event of the membership stream ----------------------------------------------------- */

inline read_view(p) {
  ADD(fenced[p], x);
  do
  :: len(SESSION(x, p)) > 0 -> SESSION(x, p) ? item
  :: else -> break
  od;
  if
  :: p == O ->
    DEL(old_moving, x);
    if
#ifndef NO_UNFREEZE
    :: x == P && old == FROZEN -> old = OWNS
#endif
#ifndef NO_MOVED_BY_OLD_OWNER
    :: x == P && old == FORWARDS && !settled ->
      old_moving = ((old_list & ONE(B)) | (old_copies & ONE(A))) & ~fenced[O];
      if :: HAS(old_moving, B) -> send(O, B, ITEM(MOVED, 0)) :: else -> skip fi;
      if :: HAS(old_moving, A) -> send(O, A, ITEM(MOVED, 0)) :: else -> skip fi
#endif
    :: else -> skip
    fi
  :: p == P ->
    DEL(new_moving, x);
    if
    :: x == O && new == PREPARED -> activate()
    :: else -> skip
    fi
  :: p == B ->
    if
    :: x == O && owner == P && record == OUTSTANDING && asked == O -> send_register()
    :: else -> skip
    fi
  :: p == A -> skip
  fi
}

/* Only now do the entries of the dead go, and the pins for them. */
inline close_exclusions(p) {
  over[p] = over[p] | gone_ids;
  if
  :: p == O ->
    if :: HAS(gone_ids, B) -> pins = 0 :: else -> skip fi;
    if
    :: old == OWNS || old == FROZEN -> old_list = old_list & ~gone_ids; old_copies = old_copies & ~gone_ids
    :: else -> skip
    fi;
    if
    :: HAS(gone_ids, P) && old == FORWARDS -> old = FORGOT; old_borrows = false     /* OwnerDied */
    :: else -> skip
    fi
  :: p == P -> new_list = new_list & ~gone_ids; new_copies = new_copies & ~gone_ids
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
    :: else -> read_view(p)
    fi
  :: else ->
    gone_ids = 0;
    for (k : 0 .. event - BARRIER(0)) { ADD(gone_ids, excludes[k]) }
    close_exclusions(p)
  fi
}

/* ---- The processes --------------------------------------------------------------------------------------- */

#define TURN(me, guard, action) :: d_step { WORKING(me) && (guard) -> action; \
    if :: WORKING(me) -> settle(me) :: else -> skip fi; check_world() }

#define DELIVERY(me, q) TURN(me, len(SESSION(q, me)) > 0, apply(q, me); tell_item(q, me))
#define MEMBERSHIP(me) \
    TURN(me, position[me] < streamed, \
         printf("%d: reads event %d of the membership stream\n", me, position[me]); read_membership(me))
#if EXCLUSIONS > 0
#define CRASH(me) TURN(me, faults < EXCLUSIONS && !HAS(excluded, me) && HAS(VICTIMS, me), \
    printf("%d: crashes\n", me); faults++; stop(me))
#else
#define CRASH(me)
#endif

/* O holds what would change the snapshot, P holds items with the new term. An item that is held stays at the head of
 * its session: what may be behind it (HandoffAck) would change nothing before the items in front are answered. */
#define HEAD_IS(q, p, what) (SESSION(q, p) ? [what])
#define HOLDS_HEAD(q, p) ( \
    HEAD_IS(q, p, eval(ITEM(REGISTER, 0))) || HEAD_IS(q, p, eval(ITEM(REGISTER, 1))) || \
    HEAD_IS(q, p, eval(ITEM(RELEASE, 0))) || \
    HEAD_IS(q, p, eval(ITEM(LOCATION, 0))) || HEAD_IS(q, p, eval(ITEM(LOCATION, 1))))
#ifdef NO_HOLDING_BY_OLD_OWNER
#define O_HOLDS false
#else
#define O_HOLDS (old == FROZEN)
#endif
#ifdef NO_HOLDING_BY_NEW_OWNER
#define P_HOLDS false
#else
#define P_HOLDS (new == PREPARED)
#endif
#define HELD_DELIVERY(me, q, frozen) TURN(me, len(SESSION(q, me)) > 0 && !((frozen) && HOLDS_HEAD(q, me)), \
    apply(q, me); tell_item(q, me))

inline freeze() {
  old = FROZEN;
  transferred = true;
  send(O, P, ITEM(TRANSFER, HAS(old_list, B) + 2 * HAS(old_copies, A)))
}

inline export() {
  ADD(pins, made);
  if
  :: HAS(stopped, B) || HAS(fenced[B], O) -> skip
  :: else ->
    ADD(tokens, made);
    if :: old == FORWARDS -> ADD(terms, made) :: else -> skip fi
  fi;
  made++
}

active proctype OldOwner() {
end:
  do
  DELIVERY(O, P)
  HELD_DELIVERY(O, B, O_HOLDS)
  HELD_DELIVERY(O, A, O_HOLDS)
  TURN(O, old == OWNS && !transferred && !HAS(fenced[O], P), printf("O: sends Transfer\n"); freeze())
  TURN(O, old_holds && made < HANDOFFS && !HAS(fenced[O], B), printf("O: exports to B\n"); export())
  TURN(O, old_holds, printf("O: drops its handle\n"); old_holds = false)
  TURN(O, old_borrows && !old_holds && pins == 0 && !HAS(fenced[O], P),
       printf("O: sends Release to P\n"); old_borrows = false; send(O, P, ITEM(RELEASE, 0)))
  MEMBERSHIP(O)
  CRASH(O)
  od
}

active proctype NewOwner() {
end:
  do
  DELIVERY(P, O)
  HELD_DELIVERY(P, B, P_HOLDS)
  HELD_DELIVERY(P, A, P_HOLDS)
  MEMBERSHIP(P)
  CRASH(P)
  od
}

active proctype Borrower() {
end:
  do
  DELIVERY(B, O)
  DELIVERY(B, P)
  TURN(B, HAS(tokens, 0), printf("B: token 0 arrives\n"); import(0))
#if HANDOFFS > 1
  TURN(B, HAS(tokens, 1), printf("B: token 1 arrives\n"); import(1))
#endif
  TURN(B, held, printf("B: drops its handle\n"); held = false)
  TURN(B, record == QUEUED && !HAS(fenced[B], owner), printf("B: sends Register to %d\n", owner); send_register())
  TURN(B, record == CONFIRMED && !held && !HAS(fenced[B], owner),
       printf("B: sends Release to %d\n", owner); send(B, owner, ITEM(RELEASE, 0)); remove_record())
  MEMBERSHIP(B)
  CRASH(B)
  od
}

active proctype Agent() {
end:
  do
  DELIVERY(A, O)
  DELIVERY(A, P)
  TURN(A, !produced && !HAS(fenced[A], O),
       printf("A: has a copy, sends Location\n"); produced = true; copy = true; send(A, O, ITEM(LOCATION, 1)))
  /* May, not must: a copy that nobody deletes has to stay until the end, to be found there. */
  TURN(A, copy && !HAS(fenced[A], copy_owner) && (held || old_holds),
       printf("A: evicts the copy\n"); send(A, copy_owner, ITEM(LOCATION, 0)); delete_copy())
  MEMBERSHIP(A)
  CRASH(A)
  od
}

/* ---- Membership ------------------------------------------------------------------------------------------ */

inline exclude(p) {
  printf("membership: view %d excludes %d\n", views + 1, p);
  reported = 0;                       /* the barrier of an older view will not come alone */
  excludes[views] = p;
  stream[streamed] = VIEW(views);
  streamed++;
  views++;
  ADD(excluded, p)
}

inline announce_barrier() {
  printf("membership: barrier(%d)\n", views);
  stream[streamed] = BARRIER(views - 1);
  streamed++;
  closed = excluded
}

#ifdef SUSPICION
#define EXCLUSION(p) :: d_step { !HAS(excluded, p) && HAS(VICTIMS, p) && (HAS(stopped, p) || faults < EXCLUSIONS) -> \
    if :: HAS(stopped, p) -> skip :: else -> faults++ fi; exclude(p) }
#else
#define EXCLUSION(p) :: d_step { !HAS(excluded, p) && HAS(stopped, p) -> exclude(p) }
#endif

active proctype World() {
end:
  do
#if EXCLUSIONS > 0
  EXCLUSION(O)
  EXCLUSION(P)
  EXCLUSION(B)
  EXCLUSION(A)
  :: d_step { closed != excluded && ((reported | excluded) == EVERYONE) -> announce_barrier() }
#else
  :: false -> skip
#endif
  od
}

/* ---- The end: when nothing can happen any more, nothing may be left -------------------------------------- */

active proctype End() {
  timeout ->
  d_step {
    CHECK(end_every_barrier_closed, (stopped & ~excluded) == 0 && closed == excluded);
    if
    :: WORKING(O) ->
      CHECK(end_object_gone, old == FORGOT);
      CHECK(end_every_handoff_ended, pins == 0 && old_moving == 0);
      CHECK(end_every_record_removed, !old_borrows)
    :: else -> skip
    fi;
    if
    :: WORKING(P) -> CHECK(end_transfer_ended, new == NOTHING || new == GONE)
    :: else -> skip
    fi;
    if
    :: WORKING(B) ->
      CHECK(end_every_record_removed, record == NONE && !held);
      CHECK(end_every_handoff_ended, owed == 0)
    :: else -> skip
    fi;
    if :: WORKING(A) -> CHECK(end_no_copy_left, !copy) :: else -> skip fi
  }
}
